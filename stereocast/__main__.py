"""`python -m stereocast`."""

from stereocast.cli import main

if __name__ == "__main__":
    main()
