//! Previews: the exact requests, and the documents' signatures through the same door.
