//! `petanotify config`: what is set, whether it works, and a file to begin with.

pub mod check;
pub mod init;
mod sharing;
pub mod show;
pub mod templates;
