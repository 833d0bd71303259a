"""stereocast: 2D video to stereo video for VR headsets."""

__version__ = "0.1.0"
