//! Models: small programs whose threads are tried in many orders.
