"""How do the samples of an image become a picture for the screen, without trusting the image?

Decoders are large programs in C that read hostile bytes. They run in a child process that may
neither open a socket, nor start a program, nor write a file, nor use more than its share of memory
and time; when an image breaks it, only the child dies.
"""
