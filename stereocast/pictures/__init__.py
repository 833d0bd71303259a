"""Pictures in memory: planes, colour, size, motion, and the border between host and device. It knows no files and no stages."""
