//! What we own and earned: positions, fees, profit and loss.
