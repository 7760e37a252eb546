//! The simulator: the real engine and storage over a simulated disk, clock and network.
