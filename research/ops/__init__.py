"""What XLA needs help with: convolutions, pooling, and memory bought with time. Each is exact, or says how far it is not."""
