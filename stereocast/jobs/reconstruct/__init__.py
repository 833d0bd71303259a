"""`4d`: an object's pictures to a dynamic scene and its films."""
