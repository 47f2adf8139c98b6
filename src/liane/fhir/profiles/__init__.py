"""What do profiles ask of a resource beyond its type: structures, slices, extensions?"""
