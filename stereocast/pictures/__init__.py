"""Pictures in memory: planes, colour, size, motion, and transfers between host and device. It knows no files and no stages."""
