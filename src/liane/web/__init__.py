"""How do the parts become one web server that people and programs can ask?"""
