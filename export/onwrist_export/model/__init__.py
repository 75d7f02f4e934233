"""The network: normalization, encoder, pooling and heads, as one graph."""
