"""How did the tables of the identity application come to their present shape?"""
