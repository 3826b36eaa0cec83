//! `inkout clean` as users run it: real files, archives, signals and crashes. What the engine finds is not its subject.

mod archives;
mod crash;
mod folders;
mod in_place;
mod support;
mod trouble;
