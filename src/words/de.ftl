# Was die Mails sagen. Die Namen bleiben, die Texte dahinter sind frei; $namen werden ersetzt.

## Überall: Zahlen, Zeitspannen, Aufzählungen. Sie werden in andere Texte eingesetzt.

seconds = { $number } s
minutes = { $number } min
hours = { $number } h
days = { $number } d
two-units = { $large } { $small }
unknown-time = Dauer unbekannt
decimal-mark = ,
percent = { $number } %
range = { $low } bis { $high }
since = seit { $time }
since-for = seit { $time } ({ $length })
span = { $from }, { $length } lang
nodes = { $number } Knoten
osds = { $number ->
    [one] { $number } OSD
   *[other] { $number } OSDs
}
list-separator = { ", " }
list-and = { $list } und { $last }
list-and-more = { $list } und { $number } weitere
clauses = { $first }, { $then }
between-sentences = { " " }

## Überall: wo OSDs liegen.

on-hosts = auf { $hosts }
on-hosts-and-none = auf { $hosts } und auf keinem Host
on-many-hosts = auf { $number ->
    [one] { $number } Host
   *[other] { $number } Hosts
}
on-many-hosts-and-none = auf { $number ->
    [one] { $number } Host
   *[other] { $number } Hosts
} und auf keinem Host
on-no-host = auf keinem Host
stray = (verwaist)

## Wie voll der Speicher ist: in Betreffzeilen und nach „Der Speicher des Clusters prod ist“.

level-fine = zu { $percent } voll
level-just-below = zu { $percent } voll (nur knapp unter { $limit })
level-over = zu { $percent } voll (über { $limit })
level-critical-just-below = zu { $percent } voll (nur knapp unter { $limit }, kritisch)
level-critical-over = zu { $percent } voll (über { $limit }, kritisch)

## Betreffzeilen. Mit dem Namen des Clusters haben sie höchstens 78 Zeichen; mehrere werden versucht, die längste zuerst.

title-still = Weiterhin: { $title }
title-names = { $what }: { $names }
title-first-and-more = { $what }: { $name } und { $number } weitere
title-new-names = { $what }, neu: { $names }
title-some-new = { $what }, davon { $number } neu
title-lasted = { $what } ({ $length })
title-two = { $first }; { $second }
# Nach dem, was wieder in Betrieb ist: nichts, oder was nicht gemeldet wird, obwohl es ausgefallen ist.
but-withheld = { " " }(außer: { $withheld })
but-some-withheld = { " " }(außer { $number })
silenced-number = { $number } stummgeschaltet
held-back-number = { $number } zurückgehalten
not-told-number = { $number } noch nicht gemeldet

storage-title = Speicher { $level }
storage-again-title = Speicher nur noch { $level } (unter { $limit })
storage-was-full-title = Speicher war { $length } lang über { $limit }, jetzt { $level }

nodes-down-title = { $number ->
    [one] Knoten ausgefallen
   *[other] { $number } Knoten ausgefallen
}
majority-down-title = { $number } von { $total } Knoten ausgefallen
racks-down-title = { $number ->
    [one] Rack { $racks } ausgefallen
   *[other] Racks { $racks } ausgefallen
}
many-racks-down-title = { $number } Racks ausgefallen
racks-and-more-down-title = { $number ->
    [one] Rack { $racks }
   *[other] Racks { $racks }
} und { $nodes ->
    [one] { $nodes } weiterer Knoten
   *[other] { $nodes } weitere Knoten
} ausgefallen
many-racks-and-more-down-title = { $number } Racks und { $nodes ->
    [one] { $nodes } weiterer Knoten
   *[other] { $nodes } weitere Knoten
} ausgefallen
nodes-were-down-title = { $number ->
    [one] Knoten war ausgefallen
   *[other] { $number } Knoten waren ausgefallen
}
nodes-were-flapping-title = { $number ->
    [one] Knoten fiel immer wieder aus
   *[other] { $number } Knoten fielen immer wieder aus
}
nodes-up-title = Alle Knoten wieder in Betrieb{ $but }
nodes-calm-title = Alle Knoten wieder in Betrieb und stabil{ $but }
nodes-none-down-title = Kein Knoten mehr ausgefallen{ $but }
osds-not-yet-title = { $what }, { $number ->
    [one] { $number } OSD
   *[other] { $number } OSDs
} noch nicht

osds-down-title = { $number ->
    [one] { $number } OSD { $place } ausgefallen
   *[other] { $number } OSDs { $place } ausgefallen
}
osds-of-host-down-title = { $number ->
    [2] Beide OSDs auf { $host } ausgefallen, Knoten aber in Betrieb
   *[other] Alle { $number } OSDs auf { $host } ausgefallen, Knoten aber in Betrieb
}
osds-were-down-title = { $number ->
    [one] { $number } OSD war ausgefallen
   *[other] { $number } OSDs waren ausgefallen
}
osds-were-down-there-title = { $number ->
    [one] { $number } OSD { $place } war ausgefallen
   *[other] { $number } OSDs { $place } waren ausgefallen
}
osds-were-flapping-title = { $number ->
    [one] { $number } OSD fiel immer wieder aus
   *[other] { $number } OSDs fielen immer wieder aus
}
osds-were-flapping-there-title = { $number ->
    [one] { $number } OSD { $place } fiel immer wieder aus
   *[other] { $number } OSDs { $place } fielen immer wieder aus
}
osds-up-title = Alle OSDs wieder in Betrieb{ $but }
osds-calm-title = Alle OSDs wieder in Betrieb und stabil{ $but }
osds-none-down-title = Kein OSD mehr ausgefallen{ $but }
other-osds-up-title = Alle anderen OSDs wieder in Betrieb{ $but } (ausgefallen: { $with })
osds-with-nodes = { $number } mit { $nodes }

osd-there = { $osd } { $place }
down-too-title = ausgefallen: { $name }
flapping-times-title = { $name } fällt immer wieder aus: { $times }
flapping-title = { $name } fällt immer wieder aus
flapping-times-reminder-title = { $name } fällt immer wieder aus, { $times }
flapping-reminder-title = { $name } fällt immer wieder aus
nodes-flapping-title = { $number } Knoten fallen immer wieder aus
nodes-flapping-reminder-title = { $number } Knoten fallen immer wieder aus
osds-flapping-title = { $number } OSDs fallen immer wieder aus
osds-flapping-there-title = { $number } OSDs { $place } fallen immer wieder aus
osds-flapping-reminder-title = { $number } OSDs fallen immer wieder aus
osds-flapping-there-reminder-title = { $number } OSDs { $place } fallen immer wieder aus
went-down = { $times ->
    [one] { $times } Ausfall in { $length }
   *[other] { $times } Ausfälle in { $length }
}
went-down-within-a-minute = { $times ->
    [one] { $times } Ausfall innerhalb einer Minute
   *[other] { $times } Ausfälle innerhalb einer Minute
}

## Am Anfang jeder Mail.

kind-new = Neu
kind-update = Aktualisierung
kind-reminder = Erinnerung
kind-cleared = Entwarnung
kind-critical = { $kind }, kritisch
held-by-quiet-hours = Diese Mail wurde wegen Ihrer Ruhezeit bis { $until } zurückgehalten. Sie beschreibt den Stand von { $time }.
late = Diese Mail ist um { $length } verspätet: Sie konnte vorher nicht zugestellt werden. Sie beschreibt den Stand von { $time }.
untold = Inzwischen ist es vorbei; solange es andauerte, wurde keine Mail darüber zugestellt.

## Am Ende jeder Mail.

heading-elsewhere = Zu diesem Zeitpunkt außerdem gestört
heading-acknowledged = Quittiert
acknowledged-by = { $time } von { $name }
acknowledged-why = { $acknowledged }: { $why }
heading-silenced = Stummgeschaltet
silenced-until = bis { $time }: { $what }
silenced-why = { $silenced } ({ $why })
silenced-everything = alles
silenced-node-and-osds = { $node } mit seinen OSDs
silenced-osds-of-node = OSDs auf { $node }
heading-maintenance = Wartung
flag-set = { $flag } ist gesetzt ({ $effect })
flag-set-since = { $flag } ist gesetzt, beobachtet seit { $time } ({ $effect })
effect-noout = Daten ausgefallener OSDs werden nicht umkopiert
effect-nodown = Ceph meldet keine OSDs als ausgefallen, Ausfälle bleiben also unbemerkt
effect-noup = startende OSDs gelten nicht als in Betrieb
effect-noin = startende OSDs werden nicht aufgenommen
effect-norebalance = Daten werden nicht gleichmäßiger verteilt
effect-nobackfill = Daten werden nicht dorthin kopiert, wohin sie gehören
effect-norecover = verlorene Kopien werden nicht wiederhergestellt
effect-pauserd = Clients können nicht lesen
effect-pausewr = Clients können nicht schreiben
flags-of-their-own = { $number ->
    [one] { $number } OSD oder CRUSH-Knoten hat ein eigenes solches Flag
   *[other] { $number } OSDs oder CRUSH-Knoten haben ein eigenes solches Flag
}
muted-health = in den Meldungen von Ceph stummgeschaltet: { $names }
heading-look-closer = Genauer nachsehen mit
made-by = petanotify { $version } auf { $node }
mail-of-incident = Vorfall { $incident }, Mail { $number }

## Was außerdem gestört ist, am Ende einer Mail über etwas anderes.

elsewhere-storage = Speicher { $level }, { $used } von { $total }
elsewhere-nodes-down = { $number } Knoten ausgefallen
elsewhere-nodes-flapping = { $number } Knoten instabil
elsewhere-nodes-down-and-flapping = { $number } Knoten ausgefallen, { $flapping } instabil
elsewhere-osds-flapping = { $number ->
    [one] { $number } OSD { $place } instabil
   *[other] { $number } OSDs { $place } instabil
}
elsewhere-osds-down-and-flapping = { $number ->
    [one] { $number } OSD { $place } ausgefallen, { $flapping } instabil
   *[other] { $number } OSDs { $place } ausgefallen, { $flapping } instabil
}
elsewhere-osds-too = { $what }; OSDs ausgefallen: { $with }
elsewhere-osds-of-nodes = OSDs noch nicht zurück: { $with }
elsewhere-health = Ceph meldet { $number }
elsewhere-acknowledged = { $what } (quittiert)
elsewhere-acknowledged-why = { $what } (quittiert: { $why })

## Was zuletzt von einer Prüfung bekannt war, die nicht möglich ist.

known-nodes-up = { $number ->
    [0] kein Knoten im Cluster
    [1] der einzige Knoten ist in Betrieb
   *[other] alle { $number } Knoten sind in Betrieb
}
known-nodes-down = { $down } von { $number } Knoten ausgefallen
known-osds-up = { $number ->
    [0] kein OSD im Cluster
    [1] das einzige OSD ist in Betrieb
   *[other] alle { $number } OSDs sind in Betrieb
}
known-osds-down = { $down } von { $number ->
    [one] { $number } OSD
   *[other] { $number } OSDs
} ausgefallen
known-flapping = { $number } instabil
known-thing-flapping = { $name } (instabil)
known-notes = { $what } ({ $notes })
known-note-separator = { "; " }
known-noout = { $number } zurückgehalten, solange noout gesetzt ist
known-waiting = { $number } noch nicht gemeldet, da ihr Knoten ausgefallen sein kann
known-early-passes = { $number } zählen erst nach { $passes } Durchgängen in Folge
known-early-time = { $number } zählen erst nach { $length }
known-early-both = { $number } zählen erst nach { $passes } Durchgängen in Folge und { $length }
known-health-fine = Ceph meldet nichts
known-health-left-out = Ceph meldet nichts, was zählt (ausgenommen: { $codes })

## Mails über den Speicherplatz.

storage-sentence = Der Speicher des Clusters { $cluster } ist { $level }.
storage-still-sentence = Der Speicher des Clusters { $cluster } ist weiterhin { $level }.
storage-again-sentence = Der Speicher des Clusters { $cluster } hat wieder Platz: Er ist { $level }.
storage-was-full-sentence = Der Speicher des Clusters { $cluster } war zu voll und ist es nicht mehr: Er ist { $level }.
storage-critical-sentence = Über { $limit } ist es nicht mehr weit, bis der Cluster Schreibzugriffe verweigert: Ceph stoppt sie, sobald ein OSD voll ist (Vorgabe: 95 %), und OSDs füllen sich ungleichmäßig. Löschen Sie jetzt Daten oder fügen Sie OSDs hinzu.
heading-space = Speicherplatz
label-used = belegt
label-free = frei
label-warn = Warnung
label-critical = kritisch
label-too-full = zu voll
label-growth = Zuwachs
used-of-total = { $used } von { $total } brutto
free-raw = { $free } brutto
over-limit = über { $limit }
growth-a-day = { $amount } pro Tag
growth-a-week = { $amount } pro Woche
growth-ahead = bei diesem Tempo { $limits }
growth-over-limit = über { $limit } { $when }
growth-full = voll { $when }
# $number ist die gezählte Zahl, $amount das Geschriebene: diese Zahl oder „3 bis 5“.
in-time = in { $amount } { $unit ->
    [hours] { $number ->
        [one] Stunde
       *[other] Stunden
    }
    [days] { $number ->
        [one] Tag
       *[other] Tagen
    }
    [weeks] { $number ->
        [one] Woche
       *[other] Wochen
    }
   *[months] { $number ->
        [one] Monat
       *[other] Monaten
    }
}
in-time-at-the-earliest = frühestens in { $number } { $unit ->
    [hours] { $number ->
        [one] Stunde
       *[other] Stunden
    }
    [days] { $number ->
        [one] Tag
       *[other] Tagen
    }
    [weeks] { $number ->
        [one] Woche
       *[other] Wochen
    }
   *[months] { $number ->
        [one] Monat
       *[other] Monaten
    }
}
within-time = innerhalb von { $number } { $unit ->
    [hours] { $number ->
        [one] Stunde
       *[other] Stunden
    }
    [days] { $number ->
        [one] Tag
       *[other] Tagen
    }
    [weeks] { $number ->
        [one] Woche
       *[other] Wochen
    }
   *[months] { $number ->
        [one] Monat
       *[other] Monaten
    }
}
within-one-unit = innerhalb { $unit ->
    [hours] einer Stunde
    [days] eines Tages
    [weeks] einer Woche
   *[months] eines Monats
}
on-dates = { $when } ({ $dates })
# $day ist ein Tag oder „4. bis 6.“.
date = { $day } { $month ->
    [1] Januar
    [2] Februar
    [3] März
    [4] April
    [5] Mai
    [6] Juni
    [7] Juli
    [8] August
    [9] September
    [10] Oktober
    [11] November
   *[12] Dezember
}
day = { $number }.

## Mails über Knoten.

nodes-down-sentence = { $number ->
    [one] { $number } Knoten des Clusters { $cluster } ist ausgefallen.
   *[other] { $number } Knoten des Clusters { $cluster } sind ausgefallen.
}
more-nodes-down-sentence = { $number ->
    [one] { $number } weiterer Knoten des Clusters { $cluster } ist ausgefallen.
   *[other] { $number } weitere Knoten des Clusters { $cluster } sind ausgefallen.
} Insgesamt ausgefallen: { $total }.
nodes-still-down-sentence = { $number ->
    [one] { $number } Knoten des Clusters { $cluster } ist weiterhin ausgefallen.
   *[other] { $number } Knoten des Clusters { $cluster } sind weiterhin ausgefallen.
}
nodes-up-sentence = Alle Knoten des Clusters { $cluster } sind wieder in Betrieb{ $but }.
nodes-none-down-sentence = Kein Knoten des Clusters { $cluster } ist mehr ausgefallen{ $but }.
nodes-flapped-before-sentence = { $number ->
    [one] { $number } Knoten ist zuvor immer wieder ausgefallen: Entwarnung folgt erst, wenn er stabil ist.
   *[other] { $number } Knoten sind zuvor immer wieder ausgefallen: Entwarnung folgt erst, wenn sie stabil sind.
}
nodes-flapping-sentence = { $number ->
    [one] { $number } Knoten des Clusters { $cluster } fällt immer wieder aus und kommt zurück. Nicht jeder Ausfall wird gemeldet; die nächste Mail kommt, wenn er stabil ist oder ausgefallen bleibt.
   *[other] { $number } Knoten des Clusters { $cluster } fallen immer wieder aus und kommen zurück. Nicht jeder Ausfall wird gemeldet; die nächste Mail kommt, wenn sie stabil sind oder ausgefallen bleiben.
}
racks-down-sentence = { $number ->
    [one] Rack { $racks } ist als Ganzes ausgefallen.
   *[other] Die Racks { $racks } sind jeweils als Ganzes ausgefallen.
}
many-racks-down-sentence = { $number } Racks sind jeweils als Ganzes ausgefallen.
majority-sentence = Das ist die Mehrheit: { $number } von { $total }.
osds-down-with-nodes-sentence = Mit { $nodes ->
    [one] ihm
   *[other] ihnen
} { $number ->
    [one] ist { $number } OSD
   *[other] sind { $number } OSDs
} ausgefallen.
osds-follow-sentence = OSDs, die Ceph in den nächsten Minuten zusammen mit einem Knoten als ausgefallen erkennt, gehören zu diesem Vorfall und lösen keine eigene Mail aus.
absence-failed = ausgefallen
absence-leaving = fährt herunter
absence-left = abgemeldet
absence-missing = kein Mitglied
heading-osds-with-nodes = Mit ihnen ausgefallene OSDs, nach Knoten
heading-osds-of-nodes-back = Noch ausgefallene OSDs auf zurückgekehrten Knoten
osds-of-nodes-back-sentence = Sie haben einige Minuten Zeit, nach und nach zurückzukommen. Was dann noch fehlt, wird in einer eigenen Mail gemeldet.

## Mails über OSDs.

osds-down-sentence = { $number ->
    [one] { $number } OSD des Clusters { $cluster } ist ausgefallen.
   *[other] { $number } OSDs des Clusters { $cluster } sind ausgefallen.
}
more-osds-down-sentence = { $number ->
    [one] { $number } weiteres OSD des Clusters { $cluster } ist ausgefallen.
   *[other] { $number } weitere OSDs des Clusters { $cluster } sind ausgefallen.
} Insgesamt ausgefallen: { $total }.
osds-still-down-sentence = { $number ->
    [one] { $number } OSD des Clusters { $cluster } ist weiterhin ausgefallen.
   *[other] { $number } OSDs des Clusters { $cluster } sind weiterhin ausgefallen.
}
osds-up-sentence = Alle OSDs des Clusters { $cluster } sind wieder in Betrieb{ $but }.
osds-none-down-sentence = Kein OSD des Clusters { $cluster } ist mehr ausgefallen{ $but }.
but-with-nodes = { $number ->
    [one] { " " }bis auf { $number }, das mit { $nodes } ausgefallen ist
   *[other] { " " }bis auf { $number }, die mit { $nodes } ausgefallen sind
}
osds-flapped-before-sentence = { $number ->
    [one] { $number } OSD ist zuvor immer wieder ausgefallen: Entwarnung folgt erst, wenn es stabil ist.
   *[other] { $number } OSDs sind zuvor immer wieder ausgefallen: Entwarnung folgt erst, wenn sie stabil sind.
}
osds-flapping-sentence = { $number ->
    [one] { $number } OSD des Clusters { $cluster } fällt immer wieder aus und kommt zurück. Nicht jeder Ausfall wird gemeldet; die nächste Mail kommt, wenn es stabil ist oder ausgefallen bleibt.
   *[other] { $number } OSDs des Clusters { $cluster } fallen immer wieder aus und kommen zurück. Nicht jeder Ausfall wird gemeldet; die nächste Mail kommt, wenn sie stabil sind oder ausgefallen bleiben.
}
osds-on-hosts-sentence = { $hosts ->
    [one] Sie liegen auf { $hosts } Host.
   *[other] Sie verteilen sich auf { $hosts } Hosts.
}
dark-hosts-sentence = { $number ->
    [one] Kein OSD auf { $hosts } ist in Betrieb, der Knoten selbst aber läuft: Prüfen Sie seine Festplattencontroller und sein Netzwerk.
   *[other] Kein OSD auf { $hosts } ist in Betrieb, die Knoten selbst aber laufen: Prüfen Sie ihre Festplattencontroller und ihr Netzwerk.
}
osd-on-host = auf { $host }
osd-stray = verwaist (in keinem CRUSH-Bucket)
osd-on-no-host = auf keinem Host
osd-out = out
osds-some-out = { $osds } ({ $number } out)
host-stray = verwaist
host-none = kein Host
lasting = { $length } lang
lasting-up-to = bis zu { $length } lang

## Listen in Mails über Knoten und OSDs.

heading-new = Neu
heading-still-down = Weiterhin ausgefallen
heading-up-again = Wieder in Betrieb
heading-removed = Nicht mehr Teil des Clusters
heading-by-host = { $heading }, nach Host
heading-was-down = { $heading }, ausgefallen ab
heading-flapping = Immer wieder ausgefallen
heading-still-flapping = Fällt weiterhin immer wieder aus
heading-calm = Wieder stabil
flapped-before = { $since }, zuvor instabil
flapping-up = in Betrieb { $since }
flapping-down = ausgefallen { $since }
flapping-calm = stabil { $since }
down-by-now-sentence = Insgesamt ausgefallen: { $number }.
come-to-rest-sentence = Was immer wieder ausfiel, ist zur Ruhe gekommen.
more-listed-by = ... und { $number } weitere; alle zeigt: { $command }
more-osds-on-hosts = ... und { $osds ->
    [one] { $osds } OSD
   *[other] { $osds } OSDs
} auf { $hosts ->
    [one] { $hosts } weiterem Host
   *[other] { $hosts } weiteren Hosts
}; alle zeigt: { $command }
more-osds-of-nodes = ... und { $osds ->
    [one] { $osds } OSD
   *[other] { $osds } OSDs
} von { $nodes ->
    [one] { $nodes } weiterem Knoten
   *[other] { $nodes } weiteren Knoten
}; alle zeigt: { $command }

## In jeder Mail.

# Was über einer Liste steht.
heading = { $heading }:
# Wie die Prüfungen in Mails heißen; der Leader von Consul ist eine davon.
check-capacity = Kapazität
check-nodes = Knoten
check-osds = OSDs
check-health = Ceph-Zustand
check-leader = Leader

## Bilder im HTML-Teil.

picture-used = belegt, { $free } von { $total } frei
# Für alle, die das Bild nicht sehen können.
picture-in-words = { $percent } belegt; Warnung über { $warn }, kritisch über { $critical }
picture-warn = Warnung { $limit }
picture-critical = kritisch { $limit }
picture-in-7-days = in 7 Tagen, bei diesem Tempo
picture-nodes = Knoten
picture-osds = OSDs je Host
picture-down = { $number } ausgefallen
picture-out = { $number } ausgefallen und out
picture-destroyed = { $number } zerstört
picture-flapping = { $number } instabil
picture-up = { $number } in Betrieb
picture-down-of = { $number } von { $all } ausgefallen
picture-down-or-flapping = { $number } ausgefallen oder instabil
picture-down-or-flapping-of = { $number } von { $all } ausgefallen oder instabil
picture-all-up = { $number ->
    [one] in Betrieb
   *[other] alle { $number } in Betrieb
}
picture-square = ein Quadrat für { $number } Knoten
picture-more-hosts-up = { $hosts ->
    [one] und { $hosts } weiterer Host
   *[other] und { $hosts } weitere Hosts
}, { $osds ->
    [one] { $osds } OSD in Betrieb
   *[other] alle { $osds } OSDs in Betrieb
}
# Es folgt der Befehl, der sie auflistet.
picture-more-hosts-down = { $hosts ->
    [one] und { $hosts } weiterer Host
   *[other] und { $hosts } weitere Hosts
}: { $osds ->
    [one] { $osds } OSD ausgefallen
   *[other] { $osds } OSDs ausgefallen
}; alle zeigt:

## Mails über das, was petanotify nicht sehen kann.

blind-cannot-see-title = petanotify sieht nicht: { $checks }
blind-no-leader-title = Consul kann keinen Leader wählen
blind-cannot-see-and-no-leader-title = petanotify sieht nicht: { $checks }; Consul ohne Leader
blind-cause-title = { $what }: { $cause }
servers-unknown = dieser Agent kennt keinen der Server
servers-not-gone = { $known ->
    [one] { $known } Server bekannt, kein Ausfall beobachtet
   *[other] { $known } Server bekannt, kein Ausfall beobachtet
}
servers-gone = { $gone } von { $known } Servern ausgefallen
server-gone = { $name } ({ $absence })
blind-could-not-see-title = petanotify sah { $length } lang nicht: { $checks }
blind-had-no-leader-title = Consul hatte { $length } lang keinen Leader
blind-sees-everything-title = petanotify sieht wieder alles
blind-sees-again-title = petanotify sieht wieder: { $checks }
blind-has-leader-title = Consul hat wieder einen Leader
blind-cannot-see-sentence = petanotify kann den Zustand des Clusters { $cluster } nicht sehen. Seit einiger Zeit nicht prüfbar: { $checks }. Bis es wieder geht, kommt dazu keine Meldung, und was zuvor gemeldet wurde, bleibt bestehen.
blind-no-leader-sentence = Consul im Cluster { $cluster } hat keinen Leader, weil sich zu wenige seiner Server einig sind. Was Consul braucht, steht still, so auch die Dienste von PetaSAN. Die Knoten werden weiter überwacht, nach der Liste, die dieser Agent zuletzt kannte.
blind-sees-everything-sentence = petanotify kann im Cluster { $cluster } wieder alles prüfen. Was sich inzwischen geändert hat, steht in eigenen Mails.
blind-sees-again-sentence = petanotify kann im Cluster { $cluster } wieder prüfen: { $checks }. Was sich inzwischen geändert hat, steht in eigenen Mails.
blind-has-leader-sentence = Consul im Cluster { $cluster } hat wieder einen Leader.
heading-not-seen = Nicht zu sehen
heading-last-known = Zuletzt bekannt und seither eingefroren
known-until = bis { $time }
heading-seen-again = Wieder zu sehen, war nicht zu sehen ab

## Mails über das, was Ceph selbst bemängelt.

health-error = Fehler
health-warning = Warnung
health-nothing = nichts
health-errors = { $errors } Fehler
health-warnings = { $warnings ->
    [one] { $warnings } Warnung
   *[other] { $warnings } Warnungen
}
health-errors-and-warnings = { $errors } Fehler, { $warnings ->
    [one] { $warnings } Warnung
   *[other] { $warnings } Warnungen
}
health-title = Ceph-Zustand: { $number }
health-codes-title = Ceph-Zustand: { $number }: { $codes }
health-first-title = Ceph-Zustand: { $number }: { $code } und { $others } weitere
health-was-wrong-title = Ceph-Zustand war nicht in Ordnung ({ $length })
health-was-wrong-codes-title = Ceph-Zustand war nicht in Ordnung: { $codes } ({ $length })
health-fine-title = Ceph-Zustand ist wieder in Ordnung
health-nothing-left-title = Ceph-Zustand: nichts mehr, was zählt
health-sentence = Ceph meldet zum Cluster { $cluster }: { $number }.
health-more-sentence = Ceph meldet zum Cluster { $cluster } neu: { $number }. Inzwischen insgesamt: { $all }.
health-still-sentence = Ceph meldet zum Cluster { $cluster } weiterhin: { $number }.
health-was-wrong-sentence = Ceph hatte zum Cluster { $cluster } etwas gemeldet.
health-fine-sentence = Was Ceph zum Cluster { $cluster } gemeldet hat, ist vorüber.
health-nothing-left-sentence = Von dem, was Ceph zum Cluster { $cluster } gemeldet hat, ist nichts mehr übrig, was zählt; was noch da ist, steht unten.
health-error-sentence = Ein Fehler bedeutet, dass Daten beschädigt, voll oder nicht erreichbar sind oder es werden, wenn niemand eingreift.
heading-still-wrong = Weiterhin nicht in Ordnung
heading-fine-again = Wieder in Ordnung, gestört ab
heading-left-out = Noch da, aber stummgeschaltet oder anderweitig ausgenommen; gestört ab
health-more = ... und { $number } weitere

## Die Mail über das, was Ruhezeiten zurückgehalten haben.

kind-after-quiet-hours = Nach Ihrer Ruhezeit
digest-title = { $number ->
    [one] { $number } Meldung: { $titles }
   *[other] { $number } Meldungen: { $titles }
}
digest-more-title = { $number ->
    [one] { $number } Meldung: { $titles }; { $more } weitere
   *[other] { $number } Meldungen: { $titles }; { $more } weitere
}
digest-title-separator = { "; " }
digest-sentence = { $number ->
    [one] Ihre Ruhezeit hat { $number } Meldung des Clusters { $cluster } bis { $time } zurückgehalten.
   *[other] Ihre Ruhezeit hat { $number } Meldungen des Clusters { $cluster } bis { $time } zurückgehalten.
}
digest-none-over-sentence = Nichts davon ist vorüber.
digest-all-over-sentence = Alles davon ist vorüber.
digest-some-over-sentence = { $number ->
    [one] Was vorüber ist, kommt zuletzt.
   *[other] { $number } davon betreffen, was vorüber ist; sie kommen zuletzt.
}
digest-late-sentence = Diese Mail ist um { $length } verspätet: Sie konnte zu dieser Zeit nicht zugestellt werden.
digest-as-of-sentence = Was nicht vorüber ist, wird mit dem Stand von { $time } gemeldet.
digest-alert = { $place }. { $title } ({ $raised })
digest-alert-as-of = { $place }. { $title } ({ $raised }, Stand { $time })
heading-in-brief = Und in Kürze

## Testmails.

test-title = Testmail von petanotify
test-one-of-ways-title = Testmail von petanotify, Weg { $number } von { $ways }
kind-test = Test
test-headline = Testmail von petanotify
test-sentence = Dies ist ein Test. Er sagt nichts über den Speicher des Clusters { $cluster } aus. Jemand hat am { $time } auf { $node } „petanotify test-mail“ aufgerufen, und diese Mail ist angekommen; also können es auch Meldungen.
heading-test-way = Welchen Weg sie nahm
test-server = Server
test-security = Sicherheit
test-login = Anmeldung
test-command = Befehl
test-sender = Absender
test-starttls = STARTTLS, Zertifikat geprüft
test-starttls-unverified = STARTTLS, Zertifikat nicht geprüft
test-tls = TLS, Zertifikat geprüft
test-tls-unverified = TLS, Zertifikat nicht geprüft
test-no-tls = kein TLS
test-logs-in = ja
test-no-login = keine
heading-test-checks = Was an diese Adresse kommt
test-check-off = nichts: checks.{ $check } ist abgeschaltet
test-check-not-told = nichts: davon erfährt dieser Empfänger nicht
test-when-full = wenn der Speicher zu über { $warn } voll ist, und über { $critical }
# $held ist eine der drei unten.
test-when-node = wenn ein Knoten ausgefallen ist
test-when-node-held = wenn ein Knoten { $held } ausgefallen ist
test-when-osd = wenn ein OSD ausgefallen ist
test-when-osd-held = wenn ein OSD { $held } ausgefallen ist
test-when-error = wenn Ceph einen Fehler meldet
test-when-error-held = wenn Ceph { $held } einen Fehler meldet
test-when-warning = wenn Ceph einen Fehler oder eine Warnung meldet
test-when-warning-held = wenn Ceph { $held } einen Fehler oder eine Warnung meldet
test-held-passes = in { $passes } Durchgängen in Folge
test-held-time = { $length } lang
test-held-both = in { $passes } Durchgängen in Folge und { $length } lang
test-critical-alone-sentence = Davon kommt nur, was kritisch ist, und sein Ende.
test-quiet-hours-sentence = In der Ruhezeit, { $hours }, kommt nur, was kritisch ist, und alles andere in einer Mail, wenn sie endet.
test-nothing-comes-sentence = An diese Adresse kommen keine Meldungen: Sie gehört zu keinem der Empfänger. Die Empfänger zeigt: petanotify config show
test-mail = Testmail
