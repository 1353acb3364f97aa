//! petanotify tells the administrators of a PetaSAN or Ceph cluster by e-mail what is wrong.

pub mod alert;
pub mod ceph;
pub mod check;
pub mod consul;
pub mod facts;
pub mod incident;
pub mod message;
pub mod output;
pub mod queue;
pub mod replace;
pub mod settings;
pub mod smtp;
pub mod state;
pub mod store;
pub mod text;
pub mod wording;
