"""LRP of any network: its operations as torch exports them, and a rule for each that hands relevance back."""
