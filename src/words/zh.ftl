# 邮件的文字。名称不可更改，其后的文字可以替换；$ 开头的变量会被填入。

seconds = { $number } 秒
minutes = { $number } 分钟
hours = { $number } 小时
days = { $number } 天
two-units = { $large } { $small }
osds = { $number } 个 OSD
