//! Which OSDs are down: whatever is not `up`.

use std::collections::BTreeSet;

use crate::facts::{DownOsd, OsdId, OsdTree};
use crate::incident::Seen;

/// Sorts the OSDs into up and down; `ceph osd tree` leaves none unseen.
pub fn seen(tree: OsdTree) -> Seen<OsdId, DownOsd> {
    Seen {
        down: tree.down,
        unseen: BTreeSet::new(),
        up: tree.up,
    }
}
