# Was die Mails sagen. Die Namen bleiben, die Texte dahinter sind frei; $namen werden ersetzt.

seconds = { $number } s
minutes = { $number } min
hours = { $number } Std
days = { $number } T
two-units = { $large } { $small }
osds = { $number ->
    [one] { $number } OSD
   *[other] { $number } OSDs
}

## Everywhere, for now.

list-separator = { ", " }
between-sentences = { " " }
untold = Inzwischen ist es vorüber; solange es dauerte, wurde keine Mail darüber zugestellt.
heading-new = Neu
heading-look-closer = Genauer nachsehen mit
host-stray = verirrt
host-none = kein Host

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
picture-out = { $number } ausgefallen und „out“
picture-destroyed = { $number } zerstört
picture-flapping = { $number } { $number ->
    [one] schwankt
   *[other] schwanken
}
picture-up = { $number } in Betrieb
picture-down-of = { $number } von { $all } ausgefallen
picture-down-or-flapping = { $number } ausgefallen oder schwankend
picture-down-or-flapping-of = { $number } von { $all } ausgefallen oder schwankend
picture-all-up = alle { $number } in Betrieb
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

blind-cannot-see-title = petanotify ist blind für { $checks }
blind-no-leader-title = Consul kann keinen Leader wählen
blind-cannot-see-and-no-leader-title = petanotify ist blind für { $checks }; Consul kann keinen Leader wählen
blind-cause-title = { $what }: { $cause }
blind-could-not-see-title = petanotify war { $length } lang blind für { $checks }
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
heading-last-known = Zuletzt bekannt und seither unverändert übernommen
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
health-first-title = Ceph-Zustand: { $number }: { $code } und { $others } mehr
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
heading-fine-again = Wieder in Ordnung, war es nicht ab
heading-left-out = Noch da, aber stummgeschaltet oder anderweitig ausgenommen; war nicht in Ordnung ab
health-more = ... und { $number } mehr

## Die Mail über das, was Ruhezeiten zurückgehalten haben.

kind-after-quiet-hours = Nach Ihrer Ruhezeit
digest-title = { $number ->
    [one] { $number } Meldung: { $titles }
   *[other] { $number } Meldungen: { $titles }
}
digest-more-title = { $number ->
    [one] { $number } Meldung: { $titles }; { $more } mehr
   *[other] { $number } Meldungen: { $titles }; { $more } mehr
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
digest-late-sentence = Diese Mail kommt { $length } zu spät: Sie konnte nicht rechtzeitig zugestellt werden.
digest-as-of-sentence = Was nicht vorüber ist, wird mit dem Stand von { $time } gemeldet.
digest-alert = { $place }. { $title } ({ $raised })
digest-alert-as-of = { $place }. { $title } ({ $raised }, Stand { $time })
heading-in-brief = Und in Kürze

## Testmails.

test-title = Testmail von petanotify
test-one-of-ways-title = Testmail von petanotify, Weg { $number } von { $ways }
kind-test = Test
test-headline = Testmail von petanotify
test-sentence = Dies ist ein Test. Er sagt nichts über den Speicher des Clusters { $cluster } aus. Jemand hat auf { $node } um { $time } „petanotify test-mail“ aufgerufen, und diese Mail ist angekommen; also können es auch Meldungen.
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
test-when-full = wenn der Speicher zu mehr als { $warn } und zu mehr als { $critical } voll ist
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
