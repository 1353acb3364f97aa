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
