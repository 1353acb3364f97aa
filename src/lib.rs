//! petanotify tells the administrators of a PetaSAN or Ceph cluster by e-mail what is wrong.

pub mod alert;
pub mod ceph;
pub mod consul;
pub mod check;
pub mod facts;
pub mod incident;
pub mod replace;
pub mod settings;
pub mod text;
pub mod wording;
pub mod queue;
pub mod state;
pub mod store;
pub mod message;
pub mod output;
