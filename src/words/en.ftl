# What mails say. Each message has a name, which must stay, and a text, in which $names are filled in.

## Everywhere: numbers, lengths of time, lists. They are put into other messages.

seconds = { $number } s
minutes = { $number } min
hours = { $number } h
days = { $number } d
two-units = { $large } { $small }
unknown-time = unknown time
decimal-mark = .
percent = { $number } %
range = { $low } to { $high }
since = since { $time }
since-for = since { $time } ({ $length })
span = { $from }, for { $length }
nodes = { $number ->
    [one] { $number } node
   *[other] { $number } nodes
}
osds = { $number ->
    [one] { $number } OSD
   *[other] { $number } OSDs
}
list-separator = { ", " }
list-and = { $list } and { $last }
list-and-more = { $list } and { $number } more
clauses = { $first }, { $then }
between-sentences = { " " }

## Everywhere: where OSDs are.

on-hosts = on { $hosts }
on-hosts-and-none = on { $hosts } and on no host
on-many-hosts = on { $number ->
    [one] { $number } host
   *[other] { $number } hosts
}
on-many-hosts-and-none = on { $number ->
    [one] { $number } host
   *[other] { $number } hosts
} and on no host
on-no-host = on no host
stray = (stray)

## How full the storage is: in subjects, and after "The storage of cluster prod is".

level-fine = { $percent } full
level-just-below = { $percent } full (only just below { $limit })
level-over = { $percent } full (over { $limit })
level-critical-just-below = { $percent } full (only just below { $limit }, critical)
level-critical-over = { $percent } full (over { $limit }, critical)

## Subjects. They have 78 characters at most with the cluster's name, so several are tried, the longest first.

title-still = still { $title }
title-names = { $what }: { $names }
title-first-and-more = { $what }: { $name } and { $number } more
title-new-names = { $what }, new: { $names }
title-some-new = { $what }, { $number } new
title-lasted = { $what } ({ $length })
title-two = { $first }; { $second }
# After what is up again: nothing, or what is said of things that are down and not told.
but-withheld = { " " }but { $withheld }
but-some-withheld = { $number ->
    [one] { " " }but { $number } other
   *[other] { " " }but { $number } others
}
silenced-number = { $number } silenced
held-back-number = { $number } held back
not-told-number = { $number } not told yet

storage-title = storage { $level }
storage-again-title = storage { $level } again (below { $limit })
storage-was-full-title = storage was over { $limit } for { $length }, now { $level }

nodes-down-title = { $number ->
    [one] node down
   *[other] { $number } nodes down
}
majority-down-title = { $number } of { $total } nodes down
racks-down-title = { $number ->
    [one] rack { $racks } down
   *[other] racks { $racks } down
}
many-racks-down-title = { $number } racks down
racks-and-more-down-title = { $number ->
    [one] rack { $racks }
   *[other] racks { $racks }
} and { $nodes ->
    [one] { $nodes } more node
   *[other] { $nodes } more nodes
} down
many-racks-and-more-down-title = { $number } racks and { $nodes ->
    [one] { $nodes } more node
   *[other] { $nodes } more nodes
} down
nodes-were-down-title = { $number ->
    [one] node was down
   *[other] { $number } nodes were down
}
nodes-were-flapping-title = { $number ->
    [one] node was flapping
   *[other] { $number } nodes were flapping
}
nodes-up-title = all nodes are up again{ $but }
nodes-calm-title = all nodes are up and calm again{ $but }
nodes-none-down-title = no node is down any more{ $but }
osds-not-yet-title = { $what }, { $number ->
    [one] { $number } OSD
   *[other] { $number } OSDs
} not yet

osds-down-title = { $number ->
    [one] { $number } OSD down { $place }
   *[other] { $number } OSDs down { $place }
}
osds-of-host-down-title = { $number ->
    [2] both OSDs down on { $host }, which is alive
   *[other] all { $number } OSDs down on { $host }, which is alive
}
osds-were-down-title = { $number ->
    [one] { $number } OSD was down
   *[other] { $number } OSDs were down
}
osds-were-down-there-title = { $number ->
    [one] { $number } OSD was down { $place }
   *[other] { $number } OSDs were down { $place }
}
osds-were-flapping-title = { $number ->
    [one] { $number } OSD was flapping
   *[other] { $number } OSDs were flapping
}
osds-were-flapping-there-title = { $number ->
    [one] { $number } OSD was flapping { $place }
   *[other] { $number } OSDs were flapping { $place }
}
osds-up-title = all OSDs are up again{ $but }
osds-calm-title = all OSDs are up and calm again{ $but }
osds-none-down-title = no OSD is down any more{ $but }
other-osds-up-title = all other OSDs are up again{ $but } (down: { $with })
osds-with-nodes = { $number } with { $nodes }

osd-there = { $osd } { $place }
down-too-title = down: { $name }
flapping-times-title = { $name } is flapping: { $times }
flapping-title = { $name } is flapping
flapping-times-reminder-title = flapping: { $name }, { $times }
flapping-reminder-title = flapping: { $name }
nodes-flapping-title = { $number } nodes are flapping
nodes-flapping-reminder-title = { $number } nodes flapping
osds-flapping-title = { $number } OSDs are flapping
osds-flapping-there-title = { $number } OSDs are flapping { $place }
osds-flapping-reminder-title = { $number } OSDs flapping
osds-flapping-there-reminder-title = { $number } OSDs flapping { $place }
went-down = { $times ->
    [one] went down { $times } time in { $length }
   *[other] went down { $times } times in { $length }
}
went-down-within-a-minute = { $times ->
    [one] went down { $times } time within a minute
   *[other] went down { $times } times within a minute
}

## At the head of every mail.

kind-new = New
kind-update = Update
kind-reminder = Reminder
kind-cleared = All clear
kind-critical = { $kind }, critical
held-by-quiet-hours = This mail was held back until { $until } by your quiet hours. It tells how things stood at { $time }.
late = This mail is late by { $length }: it could not be delivered before. It tells how things stood at { $time }.
untold = It is over by now; no mail about it was delivered while it lasted.

## At the end of every mail.

heading-elsewhere = Also wrong at this moment
heading-acknowledged = Acknowledged
acknowledged-by = { $time } by { $name }
acknowledged-why = { $acknowledged }: { $why }
heading-silenced = Silenced
silenced-until = until { $time }: { $what }
silenced-why = { $silenced } ({ $why })
silenced-everything = everything
silenced-node-and-osds = { $node } with its OSDs
silenced-osds-of-node = OSDs on { $node }
heading-maintenance = Maintenance
flag-set = { $flag } is set ({ $effect })
flag-set-since = { $flag } is set, seen since { $time } ({ $effect })
effect-noout = no data is moved because of OSDs that are down
effect-nodown = Ceph calls no OSD down, so those that fail are not seen
effect-noup = OSDs that start are not called up
effect-noin = OSDs that start are not taken in
effect-norebalance = no data is moved to even it out
effect-nobackfill = no data is copied to where it belongs
effect-norecover = lost copies are not restored
effect-pauserd = clients cannot read
effect-pausewr = clients cannot write
flags-of-their-own = { $number ->
    [one] { $number } OSD or CRUSH node has such a flag of its own
   *[other] { $number } OSDs or CRUSH nodes have such a flag of their own
}
muted-health = muted in the health of Ceph: { $names }
heading-look-closer = Look closer with
made-by = petanotify { $version } on { $node }
mail-of-incident = incident { $incident }, mail { $number }

## What else is wrong, at the end of a mail about something.

elsewhere-storage = storage { $level }, { $used } of { $total }
elsewhere-nodes-down = { $number ->
    [one] { $number } node down
   *[other] { $number } nodes down
}
elsewhere-nodes-flapping = { $number ->
    [one] { $number } node flapping
   *[other] { $number } nodes flapping
}
elsewhere-nodes-down-and-flapping = { $number ->
    [one] { $number } node down, { $flapping } flapping
   *[other] { $number } nodes down, { $flapping } flapping
}
elsewhere-osds-flapping = { $number ->
    [one] { $number } OSD flapping { $place }
   *[other] { $number } OSDs flapping { $place }
}
elsewhere-osds-down-and-flapping = { $number ->
    [one] { $number } OSD down, { $flapping } flapping { $place }
   *[other] { $number } OSDs down, { $flapping } flapping { $place }
}
elsewhere-osds-too = { $what }; OSDs down: { $with }
elsewhere-osds-of-nodes = OSDs not up again yet: { $with }
elsewhere-health = Ceph reports { $number }
elsewhere-acknowledged = { $what } (acknowledged)
elsewhere-acknowledged-why = { $what } (acknowledged: { $why })

## What was last known of a check that can't be carried out.

known-nodes-up = { $number ->
    [0] no node in the cluster
    [1] the only node is up
   *[other] all { $number } nodes are up
}
known-nodes-down = { $down } of { $number ->
    [one] { $number } node
   *[other] { $number } nodes
} down
known-osds-up = { $number ->
    [0] no OSD in the cluster
    [1] the only OSD is up
   *[other] all { $number } OSDs are up
}
known-osds-down = { $down } of { $number ->
    [one] { $number } OSD
   *[other] { $number } OSDs
} down
known-flapping = { $number } flapping
known-thing-flapping = { $name } (flapping)
known-notes = { $what } ({ $notes })
known-note-separator = { "; " }
known-noout = { $number } held back while noout is set
known-waiting = { $number } not told yet, as their node may be down
known-early-passes = { $number } not counted before { $passes } passes in a row
known-early-time = { $number } not counted before { $length }
known-early-both = { $number } not counted before { $passes } passes in a row and { $length }
known-health-fine = Ceph reports nothing
known-health-left-out = Ceph reports nothing that counts (left out: { $codes })

## Mails about the storage.

storage-sentence = The storage of cluster { $cluster } is { $level }.
storage-still-sentence = The storage of cluster { $cluster } is still { $level }.
storage-again-sentence = The storage of cluster { $cluster } has room again: it is { $level }.
storage-was-full-sentence = The storage of cluster { $cluster } was too full and is so no longer: it is { $level }.
storage-critical-sentence = Over { $limit } the cluster is close to refusing writes: Ceph stops them when one OSD is full (95 % by default), and OSDs fill unevenly. Delete data or add OSDs now.
heading-space = Space
label-used = used
label-free = free
label-warn = warn
label-critical = critical
label-too-full = too full
label-growth = growth
used-of-total = { $used } of { $total } raw
free-raw = { $free } raw
over-limit = over { $limit }
growth-a-day = { $amount } a day
growth-a-week = { $amount } a week
growth-ahead = at this pace { $limits }
growth-over-limit = over { $limit } { $when }
growth-full = full { $when }
# $number is the one that is counted, $amount what is written: that number, or "3 to 5".
in-time = in { $amount } { $unit ->
    [hours] { $number ->
        [one] hour
       *[other] hours
    }
    [days] { $number ->
        [one] day
       *[other] days
    }
    [weeks] { $number ->
        [one] week
       *[other] weeks
    }
   *[months] { $number ->
        [one] month
       *[other] months
    }
}
in-time-at-the-earliest = in { $number } { $unit ->
    [hours] { $number ->
        [one] hour
       *[other] hours
    }
    [days] { $number ->
        [one] day
       *[other] days
    }
    [weeks] { $number ->
        [one] week
       *[other] weeks
    }
   *[months] { $number ->
        [one] month
       *[other] months
    }
} at the earliest
within-time = within { $number } { $unit ->
    [hours] { $number ->
        [one] hour
       *[other] hours
    }
    [days] { $number ->
        [one] day
       *[other] days
    }
    [weeks] { $number ->
        [one] week
       *[other] weeks
    }
   *[months] { $number ->
        [one] month
       *[other] months
    }
}
within-one-unit = within { $unit ->
    [hours] an hour
    [days] a day
    [weeks] a week
   *[months] a month
}
on-dates = { $when } ({ $dates })
# $day is a number, or "4 to 6".
date = { $day } { $month ->
    [1] January
    [2] February
    [3] March
    [4] April
    [5] May
    [6] June
    [7] July
    [8] August
    [9] September
    [10] October
    [11] November
   *[12] December
}
day = { $number }

## Mails about nodes.

nodes-down-sentence = { $number ->
    [one] { $number } node of cluster { $cluster } is down.
   *[other] { $number } nodes of cluster { $cluster } are down.
}
more-nodes-down-sentence = { $number ->
    [one] { $number } more node of cluster { $cluster } is down.
   *[other] { $number } more nodes of cluster { $cluster } are down.
} Down by now: { $total }.
nodes-still-down-sentence = { $number ->
    [one] { $number } node of cluster { $cluster } is still down.
   *[other] { $number } nodes of cluster { $cluster } are still down.
}
nodes-up-sentence = All nodes of cluster { $cluster } are up again{ $but }.
nodes-none-down-sentence = No node of cluster { $cluster } is down any more{ $but }.
nodes-flapped-before-sentence = { $number ->
    [one] { $number } node has flapped before: that this is over is told when it is calm.
   *[other] { $number } nodes have flapped before: that this is over is told when they are calm.
}
nodes-flapping-sentence = { $number ->
    [one] { $number } node of cluster { $cluster } is flapping: down and up again and again. No mail tells of each time; the next one comes when it is calm, or stays down.
   *[other] { $number } nodes of cluster { $cluster } are flapping: down and up again and again. No mail tells of each time; the next one comes when they are calm, or stay down.
}
racks-down-sentence = { $number ->
    [one] Rack { $racks } is down, as a whole.
   *[other] Racks { $racks } are down, each as a whole.
}
many-racks-down-sentence = { $number } racks are down, each as a whole.
majority-sentence = That is the majority: { $number } of { $total }.
osds-down-with-nodes-sentence = { $number ->
    [one] { $number } OSD is
   *[other] { $number } OSDs are
} down with { $nodes ->
    [one] it
   *[other] them
}.
osds-follow-sentence = OSDs that Ceph finds down with a node in the next minutes belong to this incident and make no mail of their own.
absence-failed = failed
absence-leaving = leaving
absence-left = left
absence-missing = not a member
heading-osds-with-nodes = OSDs down with them, by node
heading-osds-of-nodes-back = OSDs still down on nodes that are back
osds-of-nodes-back-sentence = They have some minutes to come up, one by one. Those that do not are told of in a mail of their own.

## Mails about OSDs.

osds-down-sentence = { $number ->
    [one] { $number } OSD of cluster { $cluster } is down.
   *[other] { $number } OSDs of cluster { $cluster } are down.
}
more-osds-down-sentence = { $number ->
    [one] { $number } more OSD of cluster { $cluster } is down.
   *[other] { $number } more OSDs of cluster { $cluster } are down.
} Down by now: { $total }.
osds-still-down-sentence = { $number ->
    [one] { $number } OSD of cluster { $cluster } is still down.
   *[other] { $number } OSDs of cluster { $cluster } are still down.
}
osds-up-sentence = All OSDs of cluster { $cluster } are up again{ $but }.
osds-none-down-sentence = No OSD of cluster { $cluster } is down any more{ $but }.
but-with-nodes = { $number ->
    [one] { " " }but for { $number } that is down with { $nodes }
   *[other] { " " }but for { $number } that are down with { $nodes }
}
osds-flapped-before-sentence = { $number ->
    [one] { $number } OSD has flapped before: that this is over is told when it is calm.
   *[other] { $number } OSDs have flapped before: that this is over is told when they are calm.
}
osds-flapping-sentence = { $number ->
    [one] { $number } OSD of cluster { $cluster } is flapping: down and up again and again. No mail tells of each time; the next one comes when it is calm, or stays down.
   *[other] { $number } OSDs of cluster { $cluster } are flapping: down and up again and again. No mail tells of each time; the next one comes when they are calm, or stay down.
}
osds-on-hosts-sentence = { $hosts ->
    [one] They are on { $hosts } host.
   *[other] They are on { $hosts } hosts.
}
dark-hosts-sentence = { $number ->
    [one] None of the OSDs on { $hosts } is up, yet the node itself is alive: look at its disk controllers and its network.
   *[other] None of the OSDs on { $hosts } is up, yet the nodes themselves are alive: look at their disk controllers and their network.
}
osd-on-host = on { $host }
osd-stray = stray (in no CRUSH bucket)
osd-on-no-host = on no host
osd-out = out
osds-some-out = { $osds } ({ $number } out)
host-stray = stray
host-none = no host
lasting = for { $length }
lasting-up-to = for up to { $length }

## Lists in mails about nodes and OSDs.

heading-new = New
heading-still-down = Still down
heading-up-again = Up again
heading-removed = No longer part of the cluster
heading-by-host = { $heading }, by host
heading-was-down = { $heading }, was down from
heading-flapping = Flapping
heading-still-flapping = Still flapping
heading-calm = Calm again
flapped-before = { $since }, flapped before
flapping-up = up { $since }
flapping-down = down { $since }
flapping-calm = calm { $since }
down-by-now-sentence = Down by now: { $number }.
come-to-rest-sentence = What flapped has come to rest.
more-listed-by = ... and { $number } more; all of them: { $command }
more-osds-on-hosts = ... and { $osds ->
    [one] { $osds } OSD
   *[other] { $osds } OSDs
} on { $hosts ->
    [one] { $hosts } more host
   *[other] { $hosts } more hosts
}; all of them: { $command }
more-osds-of-nodes = ... and { $osds ->
    [one] { $osds } OSD
   *[other] { $osds } OSDs
} of { $nodes ->
    [one] { $nodes } more node
   *[other] { $nodes } more nodes
}; all of them: { $command }

## In every mail.

# What stands above a list.
heading = { $heading }:
# The names that the checks have in mails; that of Consul's leader is one of them.
check-capacity = capacity
check-nodes = nodes
check-osds = osds
check-health = health
check-leader = leader

## Pictures in the HTML part.

picture-used = used, { $free } of { $total } free
# For who cannot see the picture.
picture-in-words = { $percent } used; warn over { $warn }, critical over { $critical }
picture-warn = warn { $limit }
picture-critical = critical { $limit }
picture-in-7-days = in 7 days, at this pace
picture-nodes = Nodes
picture-osds = OSDs by host
picture-down = { $number } down
picture-out = { $number } down and out
picture-destroyed = { $number } destroyed
picture-flapping = { $number } flapping
picture-up = { $number } up
picture-down-of = { $number } of { $all } down
picture-down-or-flapping = { $number } down or flapping
picture-down-or-flapping-of = { $number } of { $all } down or flapping
picture-all-up = all { $number } up
picture-square = one square for { $number } nodes
picture-more-hosts-up = { $hosts ->
    [one] and { $hosts } more host
   *[other] and { $hosts } more hosts
}, { $osds ->
    [one] all { $osds } OSD up
   *[other] all { $osds } OSDs up
}
# The command that lists them follows.
picture-more-hosts-down = { $hosts ->
    [one] and { $hosts } more host
   *[other] and { $hosts } more hosts
}: { $osds ->
    [one] { $osds } OSD down
   *[other] { $osds } OSDs down
}; all of them:

## Mails about what petanotify cannot see.

blind-cannot-see-title = petanotify cannot see { $checks }
blind-no-leader-title = Consul cannot elect a leader
blind-cannot-see-and-no-leader-title = petanotify cannot see { $checks }; Consul cannot elect a leader
blind-cause-title = { $what }: { $cause }
servers-unknown = this agent knows none of its servers
servers-not-gone = { $known ->
    [one] { $known } server known, none of them seen gone
   *[other] { $known } servers known, none of them seen gone
}
servers-gone = { $gone } of { $known ->
    [one] { $known } server
   *[other] { $known } servers
} { $gone ->
    [one] is gone
   *[other] are gone
}
server-gone = { $name } ({ $absence })
blind-could-not-see-title = petanotify could not see { $checks } for { $length }
blind-had-no-leader-title = Consul had no leader for { $length }
blind-sees-everything-title = petanotify can see everything again
blind-sees-again-title = petanotify can see { $checks } again
blind-has-leader-title = Consul has a leader again
blind-cannot-see-sentence = petanotify cannot see the state of cluster { $cluster }: { $checks } could not be checked for some time. Until it can, no alert about them will come, and what was told before stands.
blind-no-leader-sentence = Consul of cluster { $cluster } has no leader, for too few of its servers agree. What needs Consul stands still, as PetaSAN's services do. Nodes are still watched, by the list that this agent knew last.
blind-sees-everything-sentence = petanotify can carry out all its checks of cluster { $cluster } again. What has changed meanwhile is told in mails of its own.
blind-sees-again-sentence = petanotify can carry out these checks ({ $checks }) of cluster { $cluster } again. What has changed meanwhile is told in mails of its own.
blind-has-leader-sentence = Consul of cluster { $cluster } has a leader again.
heading-not-seen = Not seen
heading-last-known = Last known, and frozen since
known-until = until { $time }
heading-seen-again = Seen again, was not seen from

## Mails about what Ceph itself finds wrong.

health-error = error
health-warning = warning
health-nothing = nothing
health-errors = { $errors ->
    [one] { $errors } error
   *[other] { $errors } errors
}
health-warnings = { $warnings ->
    [one] { $warnings } warning
   *[other] { $warnings } warnings
}
health-errors-and-warnings = { $errors ->
    [one] { $errors } error
   *[other] { $errors } errors
}, { $warnings ->
    [one] { $warnings } warning
   *[other] { $warnings } warnings
}
health-title = Ceph health: { $number }
health-codes-title = Ceph health: { $number }: { $codes }
health-first-title = Ceph health: { $number }: { $code } and { $others } more
health-was-wrong-title = Ceph health was not fine ({ $length })
health-was-wrong-codes-title = Ceph health was not fine: { $codes } ({ $length })
health-fine-title = Ceph health is fine again
health-nothing-left-title = Ceph health: nothing is left that counts
health-sentence = Ceph reports about cluster { $cluster }: { $number }.
health-more-sentence = Ceph reports about cluster { $cluster }, new: { $number }. In all by now: { $all }.
health-still-sentence = Ceph still reports about cluster { $cluster }: { $number }.
health-was-wrong-sentence = Ceph reported something about cluster { $cluster }.
health-fine-sentence = What Ceph reported about cluster { $cluster } is over.
health-nothing-left-sentence = Of what Ceph reported about cluster { $cluster } nothing is left that counts; see below what is still there.
health-error-sentence = An error means that data are damaged, full or out of reach, or will be if nobody acts.
heading-still-wrong = Still wrong
heading-fine-again = Fine again, was wrong from
heading-left-out = Still there, but muted or otherwise left out now; was wrong from
health-more = ... and { $number } more

## The mail that tells what quiet hours have held back.

kind-after-quiet-hours = After your quiet hours
digest-title = { $number ->
    [one] { $number } alert: { $titles }
   *[other] { $number } alerts: { $titles }
}
digest-more-title = { $number ->
    [one] { $number } alert: { $titles }; { $more } more
   *[other] { $number } alerts: { $titles }; { $more } more
}
digest-title-separator = { "; " }
digest-sentence = { $number ->
    [one] Your quiet hours have held back { $number } alert of cluster { $cluster } until { $time }.
   *[other] Your quiet hours have held back { $number } alerts of cluster { $cluster } until { $time }.
}
digest-none-over-sentence = None of it is over.
digest-all-over-sentence = All of it is over.
digest-some-over-sentence = { $number ->
    [one] What is over comes last.
   *[other] { $number } of them tell what is over; they come last.
}
digest-late-sentence = The mail is late by { $length }: it could not be delivered then.
digest-as-of-sentence = What is not over is told as it stood at { $time }.
digest-alert = { $place }. { $title } ({ $raised })
digest-alert-as-of = { $place }. { $title } ({ $raised }, as it stood at { $time })
heading-in-brief = And in brief

## Test mails.

test-title = test mail from petanotify
test-one-of-ways-title = test mail from petanotify, way { $number } of { $ways }
kind-test = Test
test-headline = Test mail from petanotify
test-sentence = This is a test. It says nothing about the storage of cluster { $cluster }. Somebody ran "petanotify test-mail" on { $node } at { $time }, and this mail has arrived, so alerts can.
heading-test-way = Which way it went
test-server = server
test-security = security
test-login = login
test-command = command
test-sender = sender
test-starttls = STARTTLS, certificate verified
test-starttls-unverified = STARTTLS, certificate not verified
test-tls = TLS, certificate verified
test-tls-unverified = TLS, certificate not verified
test-no-tls = no TLS
test-logs-in = yes
test-no-login = none
heading-test-checks = What comes to this address
test-check-off = nothing: checks.{ $check } is turned off
test-check-not-told = nothing: this recipient is not told of it
test-when-full = when the storage is over { $warn }, and over { $critical } full
# $held is one of the next three.
test-when-node = when a node is down
test-when-node-held = when a node is down { $held }
test-when-osd = when an OSD is down
test-when-osd-held = when an OSD is down { $held }
test-when-error = when Ceph reports an error
test-when-error-held = when Ceph reports an error { $held }
test-when-warning = when Ceph reports an error or a warning
test-when-warning-held = when Ceph reports an error or a warning { $held }
test-held-passes = in { $passes } passes in a row
test-held-time = for { $length }
test-held-both = in { $passes } passes in a row and for { $length }
test-critical-alone-sentence = Of these only what is critical comes, and its end.
test-quiet-hours-sentence = In the quiet hours, { $hours }, only what is critical comes, and all else in one mail when they end.
test-nothing-comes-sentence = No alert comes to this address: it is none of the recipients. The recipients are listed by: petanotify config show
test-mail = test mail
