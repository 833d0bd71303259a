"""A small ray caster that draws the sample films: triangles, a bounding volume hierarchy, procedural materials.

It knows nothing of stereocast. Scenes are metres, x right, y up, z forward; a camera gives a left or a right eye and
the true depth of each pixel. Everything comes from a fixed seed, so a rerun draws the same pictures.
"""
