"""What is every page of the house made of?"""
