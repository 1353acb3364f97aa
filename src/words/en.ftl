# What mails say. Each message has a name, which must stay, and a text, in which $names are filled in.

seconds = { $number } s
minutes = { $number } min
hours = { $number } h
days = { $number } d
two-units = { $large } { $small }
osds = { $number ->
    [one] { $number } OSD
   *[other] { $number } OSDs
}

## Everywhere, for now.

list-separator = { ", " }
between-sentences = { " " }
untold = It is over by now; no mail about it was delivered while it lasted.
heading-new = New
heading-look-closer = Look closer with
host-stray = stray
host-none = no host

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
