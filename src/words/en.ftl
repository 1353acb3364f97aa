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
