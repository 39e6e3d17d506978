//! The only home of threads, sockets and real clocks.
