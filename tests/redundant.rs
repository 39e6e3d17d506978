//! Several connections for one public stream: the stage against a model of the venue's stream, and
//! the whole engine in the stepped world with connections that are cut, stalled and spoilt.

#[path = "redundant/stage.rs"]
mod stage;
#[path = "redundant/world.rs"]
mod world;
