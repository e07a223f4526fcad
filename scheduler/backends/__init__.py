"""How a pool gets workers. One package or module per backend; they know nothing of each other and decide nothing."""
