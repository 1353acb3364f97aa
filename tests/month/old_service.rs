//! What PetaSAN's own notification service would have mailed: its rules as a small model. It knows what it told in memory
//! only, takes a failed call for "nothing is down", has one threshold without a margin, never tells that anything is well
//! again, and writes one mail per alert and follower.

use std::collections::BTreeSet;

use petanotify::alert::Observed;
use petanotify::facts::{Membership, OsdId, OsdTree, Presence, Usage};

use crate::world::View;

const THRESHOLD_PERCENT: f64 = 60.0;

/// The service, on whichever node is the leader.
#[derive(Default)]
pub(crate) struct OldService {
    over: bool,
    nodes: BTreeSet<String>,
    osds: BTreeSet<OsdId>,
    /// Alerts that wait for the mail server; each is one mail per follower.
    queue: usize,
}

impl OldService {
    /// Its node has restarted or another one has become the leader: memory and queue are gone.
    pub(crate) fn forget(&mut self) {
        *self = OldService::default();
    }

    /// One minute; how many alerts are mailed.
    pub(crate) fn pass(&mut self, view: &View, mail: bool) -> usize {
        // Without a Consul leader nobody holds the leader's lock, and the service rests.
        if !view.leader {
            self.forget();
            return 0;
        }
        let Observed {
            capacity,
            nodes,
            osds,
            ..
        } = &view.observed;
        self.capacity(capacity.as_ref().unwrap().as_ref().ok());
        self.nodes(nodes.as_ref().unwrap().as_ref().ok());
        self.osds(osds.as_ref().unwrap().as_ref().ok());
        if mail {
            std::mem::take(&mut self.queue)
        } else {
            0
        }
    }

    fn capacity(&mut self, usage: Option<&Usage>) {
        let Some(usage) = usage else { return };
        let percent = match usage.total_bytes {
            0 => 0.0,
            total => usage.used_bytes as f64 * 100.0 / total as f64,
        };
        let over = percent > THRESHOLD_PERCENT;
        self.queue += usize::from(over && !self.over);
        self.over = over;
    }

    fn nodes(&mut self, membership: Option<&Membership>) {
        let nodes = membership.map(|m| m.nodes.iter()).into_iter().flatten();
        let down: BTreeSet<String> = nodes
            .filter(|(_, presence)| matches!(presence, Presence::Down(_)))
            .map(|(name, _)| name.clone())
            .collect();
        self.queue += usize::from(!down.is_subset(&self.nodes));
        self.nodes = down;
    }

    fn osds(&mut self, tree: Option<&OsdTree>) {
        let osds = tree.map(|tree| tree.down.iter()).into_iter().flatten();
        let down: BTreeSet<OsdId> = osds
            .filter(|(_, osd)| !osd.stray)
            .map(|(id, _)| *id)
            .collect();
        self.queue += usize::from(!down.is_subset(&self.osds));
        self.osds = down;
    }
}
