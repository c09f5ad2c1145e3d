"""Opens pictures, recordings and PDFs for both functions that decode, and reads what cameras wrote."""
