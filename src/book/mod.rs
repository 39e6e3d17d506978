//! Order books: the full-depth ladder that one thread owns, and the published top that others read.
