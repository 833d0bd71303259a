"""`4d`: makes a dynamic scene and its films from pictures of an object."""
