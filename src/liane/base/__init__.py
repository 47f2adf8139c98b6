"""What does every part of the house stand on that knows nothing of hospitals?"""
