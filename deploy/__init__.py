"""How it is packaged, deployed to AWS, and run on one machine."""
