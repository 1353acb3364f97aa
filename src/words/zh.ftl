# 邮件的文字。名称不可更改，其后的文字可以替换；$ 开头的变量会被填入。

## 各处通用：数字、时长、列举，用于其他文字之中。

seconds = { $number } 秒
minutes = { $number } 分钟
hours = { $number } 小时
days = { $number } 天
two-units = { $large } { $small }
unknown-time = 时长未知
decimal-mark = .
percent = { $number }%
range = { $low } 至 { $high }
since = 自 { $time } 起
since-for = 自 { $time } 起（{ $length }）
span = { $from }，持续 { $length }
nodes = { $number } 个节点
osds = { $number } 个 OSD
list-separator = 、
list-and = { $list }、{ $last }
list-and-more = { $list } 等，另有 { $number } 个
clauses = { $first }，{ $then }
between-sentences = { "" }

## 各处通用：OSD 的位置，用在 OSD 之前。

on-hosts = { $hosts } 上的
on-hosts-and-none = { $hosts } 上及不属于任何主机的
on-many-hosts = { $number } 台主机上的
on-many-hosts-and-none = { $number } 台主机上及不属于任何主机的
on-no-host = 不属于任何主机的
stray = 游离的

## 存储空间的使用程度：用于主题，以及“集群 prod 的存储空间”之后。

level-fine = 已用 { $percent }
level-just-below = 已用 { $percent }（仅略低于 { $limit }）
level-over = 已用 { $percent }（超过 { $limit }）
level-critical-just-below = 已用 { $percent }（仅略低于 { $limit }，严重）
level-critical-over = 已用 { $percent }（超过 { $limit }，严重）

## 主题。连同集群名称最多 78 个字符，从最长的写法开始依次尝试。

title-still = 仍未恢复：{ $title }
title-names = { $what }：{ $names }
title-first-and-more = { $what }：{ $name }，另有 { $number } 个
title-new-names = { $what }，新增：{ $names }
title-some-new = { $what }，新增 { $number } 个
title-lasted = { $what }（{ $length }）
title-two = { $first }；{ $second }
# 用在已恢复的事物之后：为空，或说明仍离线但未通知的数量。
but-withheld = （除外：{ $withheld }）
but-some-withheld = （除外：{ $number } 个）
silenced-number = { $number } 个已静默
held-back-number = { $number } 个暂缓通知
not-told-number = { $number } 个尚未通知

storage-title = 存储空间{ $level }
storage-again-title = 存储空间恢复正常，{ $level }（低于 { $limit }）
storage-was-full-title = 存储空间曾超过 { $limit }，持续 { $length }，现{ $level }

nodes-down-title = { $number ->
    [1] 节点离线
   *[other] { $number } 个节点离线
}
majority-down-title = { $total } 个节点中有 { $number } 个离线
racks-down-title = { $number ->
   *[other] 机架 { $racks } 离线
}
many-racks-down-title = { $number } 个机架离线
racks-and-more-down-title = { $number ->
   *[other] 机架 { $racks } 及另外 { $nodes } 个节点离线
}
many-racks-and-more-down-title = { $number } 个机架及另外 { $nodes } 个节点离线
nodes-were-down-title = { $number ->
    [1] 节点曾离线
   *[other] { $number } 个节点曾离线
}
nodes-were-flapping-title = { $number ->
    [1] 节点曾反复离线
   *[other] { $number } 个节点曾反复离线
}
nodes-up-title = 所有节点均已恢复{ $but }
nodes-calm-title = 所有节点均已恢复并保持稳定{ $but }
nodes-none-down-title = 已无离线节点{ $but }
osds-not-yet-title = { $what }，{ $number } 个 OSD 尚未恢复

osds-down-title = { $place } { $number } 个 OSD 离线
osds-of-host-down-title = { $host } 上的全部 { $number } 个 OSD 离线，但节点在线
osds-were-down-title = { $number } 个 OSD 曾离线
osds-were-down-there-title = { $place } { $number } 个 OSD 曾离线
osds-were-flapping-title = { $number } 个 OSD 曾反复离线
osds-were-flapping-there-title = { $place } { $number } 个 OSD 曾反复离线
osds-up-title = 所有 OSD 均已恢复{ $but }
osds-calm-title = 所有 OSD 均已恢复并保持稳定{ $but }
osds-none-down-title = 已无离线 OSD{ $but }
other-osds-up-title = 其他 OSD 均已恢复{ $but }（仍离线：{ $with }）
osds-with-nodes = { $number } 个随 { $nodes }

osd-there = { $place } { $osd }
down-too-title = 离线：{ $name }
flapping-times-title = { $name } 反复离线：{ $times }
flapping-title = { $name } 反复离线
flapping-times-reminder-title = { $name } 反复离线，{ $times }
flapping-reminder-title = { $name } 反复离线
nodes-flapping-title = { $number } 个节点反复离线
nodes-flapping-reminder-title = { $number } 个节点反复离线
osds-flapping-title = { $number } 个 OSD 反复离线
osds-flapping-there-title = { $place } { $number } 个 OSD 反复离线
osds-flapping-reminder-title = { $number } 个 OSD 反复离线
osds-flapping-there-reminder-title = { $place } { $number } 个 OSD 反复离线
went-down = { $length }内离线 { $times } 次
went-down-within-a-minute = 一分钟内离线 { $times } 次

## 每封邮件的开头。

kind-new = 新告警
kind-update = 更新
kind-reminder = 提醒
kind-cleared = 已解除
kind-critical = { $kind }，严重
held-by-quiet-hours = 由于您设置的免打扰时段，本邮件推迟到 { $until } 才发送。内容为 { $time } 时的情况。
late = 本邮件迟到了 { $length }：此前无法送达。内容为 { $time } 时的情况。
untold = 问题现已结束；持续期间没有相关邮件送达。

## 每封邮件的结尾。

heading-elsewhere = 此时的其他问题
heading-acknowledged = 已确认
acknowledged-by = { $time }，{ $name }
acknowledged-why = { $acknowledged }：{ $why }
heading-silenced = 已静默
silenced-until = 至 { $time }：{ $what }
silenced-why = { $silenced }（{ $why }）
silenced-everything = 全部
silenced-node-and-osds = { $node } 及其 OSD
silenced-osds-of-node = { $node } 上的 OSD
heading-maintenance = 维护
flag-set = 已设置 { $flag }（{ $effect }）
flag-set-since = 已设置 { $flag }，最早见于 { $time }（{ $effect }）
effect-noout = 不会因 OSD 离线而迁移数据
effect-nodown = Ceph 不会将任何 OSD 标记为离线，因此无法发现故障
effect-noup = 启动的 OSD 不会被标记为在线
effect-noin = 启动的 OSD 不会被纳入集群
effect-norebalance = 不会为均衡而迁移数据
effect-nobackfill = 不会将数据复制到应在的位置
effect-norecover = 不会恢复丢失的副本
effect-pauserd = 客户端无法读取
effect-pausewr = 客户端无法写入
flags-of-their-own = { $number } 个 OSD 或 CRUSH 节点单独设置了此类标志
muted-health = 在 Ceph 健康状态中已屏蔽：{ $names }
heading-look-closer = 进一步查看请运行
made-by = petanotify { $version }，运行于 { $node }
mail-of-incident = 事件 { $incident }，第 { $number } 封邮件

## 其他问题，列在邮件末尾。

elsewhere-storage = 存储空间{ $level }，{ $used }，共 { $total }
elsewhere-nodes-down = { $number } 个节点离线
elsewhere-nodes-flapping = { $number } 个节点反复离线
elsewhere-nodes-down-and-flapping = { $number } 个节点离线，{ $flapping } 个反复离线
elsewhere-osds-flapping = { $place } { $number } 个 OSD 反复离线
elsewhere-osds-down-and-flapping = { $place } { $number } 个 OSD 离线，{ $flapping } 个反复离线
elsewhere-osds-too = { $what }；离线 OSD：{ $with }
elsewhere-osds-of-nodes = 尚未恢复的 OSD：{ $with }
elsewhere-health = Ceph 报告 { $number }
elsewhere-acknowledged = { $what }（已确认）
elsewhere-acknowledged-why = { $what }（已确认：{ $why }）

## 无法执行的检查最后一次的结果。

known-nodes-up = { $number ->
    [0] 集群中没有节点
    [1] 唯一的节点在线
   *[other] 全部 { $number } 个节点在线
}
known-nodes-down = { $number } 个节点中有 { $down } 个离线
known-osds-up = { $number ->
    [0] 集群中没有 OSD
    [1] 唯一的 OSD 在线
   *[other] 全部 { $number } 个 OSD 在线
}
known-osds-down = { $number } 个 OSD 中有 { $down } 个离线
known-flapping = { $number } 个反复离线
known-thing-flapping = { $name }（反复离线）
known-notes = { $what }（{ $notes }）
known-note-separator = ；
known-noout = { $number } 个因设置了 noout 而暂缓通知
known-waiting = { $number } 个尚未通知，因其节点可能已离线
known-early-passes = { $number } 个连续 { $passes } 次检查后才计入
known-early-time = { $number } 个持续 { $length }后才计入
known-early-both = { $number } 个连续 { $passes } 次检查且持续 { $length }后才计入
known-health-fine = Ceph 未报告任何问题
known-health-left-out = Ceph 未报告计入的问题（已排除：{ $codes }）

## 关于存储空间的邮件。

storage-sentence = 集群 { $cluster } 的存储空间{ $level }。
storage-still-sentence = 集群 { $cluster } 的存储空间仍不足：{ $level }。
storage-again-sentence = 集群 { $cluster } 的存储空间已恢复充足：{ $level }。
storage-was-full-sentence = 集群 { $cluster } 的存储空间曾经不足，现已缓解：{ $level }。
storage-critical-sentence = 超过 { $limit } 后，集群很快会拒绝写入：只要有一个 OSD 写满（默认 95%），Ceph 就会停止写入，而各 OSD 的使用并不均匀。请立即删除数据或添加 OSD。
heading-space = 空间
label-used = 已用
label-free = 可用
label-warn = 警告
label-critical = 严重
label-too-full = 空间不足
label-growth = 增长
used-of-total = { $used }，共 { $total }（原始容量）
free-raw = { $free }（原始容量）
over-limit = 超过 { $limit }
growth-a-day = 每天 { $amount }
growth-a-week = 每周 { $amount }
growth-ahead = 按此速度，{ $limits }
growth-over-limit = { $when }超过 { $limit }
growth-full = { $when }写满
# $number 为计数值，$amount 为所写的文字：该数值或“3 至 5”。
in-time = { $number ->
   *[other] { $amount } { $unit ->
        [hours] 小时
        [days] 天
        [weeks] 周
       *[months] 个月
    }后
}
in-time-at-the-earliest = 最早 { $number } { $unit ->
    [hours] 小时
    [days] 天
    [weeks] 周
   *[months] 个月
}后
within-time = { $number } { $unit ->
    [hours] 小时
    [days] 天
    [weeks] 周
   *[months] 个月
}内
within-one-unit = { $unit ->
    [hours] 一小时内
    [days] 一天内
    [weeks] 一周内
   *[months] 一个月内
}
on-dates = { $when }（{ $dates }）
# $day 为日期，或“4 至 6”。
date = { $month } 月 { $day } 日
day = { $number }

## 关于节点的邮件。

nodes-down-sentence = 集群 { $cluster } 有 { $number } 个节点离线。
more-nodes-down-sentence = 集群 { $cluster } 又有 { $number } 个节点离线。目前共有 { $total } 个离线。
nodes-still-down-sentence = 集群 { $cluster } 仍有 { $number } 个节点离线。
nodes-up-sentence = 集群 { $cluster } 的所有节点均已恢复{ $but }。
nodes-none-down-sentence = 集群 { $cluster } 已无离线节点{ $but }。
nodes-flapped-before-sentence = { $number } 个节点此前反复离线：稳定之后才会通知恢复。
nodes-flapping-sentence = 集群 { $cluster } 有 { $number } 个节点反复离线又恢复。不会逐次通知；待其稳定或持续离线时，才会发送下一封邮件。
racks-down-sentence = { $number ->
    [1] 机架 { $racks } 整体离线。
   *[other] 机架 { $racks } 均整体离线。
}
many-racks-down-sentence = { $number } 个机架均整体离线。
majority-sentence = 已超过半数：{ $total } 个中有 { $number } 个。
osds-down-with-nodes-sentence = { $nodes ->
   *[other] { $number } 个 OSD 随之离线。
}
osds-follow-sentence = 接下来几分钟内，Ceph 发现随节点离线的 OSD 均属于本事件，不会另发邮件。
absence-failed = 失联
absence-leaving = 正在离开
absence-left = 已离开
absence-missing = 不是成员
heading-osds-with-nodes = 随节点离线的 OSD（按节点）
heading-osds-of-nodes-back = 节点已恢复但仍离线的 OSD
osds-of-nodes-back-sentence = 它们会在几分钟内陆续恢复。届时仍未恢复的将另发邮件通知。

## 关于 OSD 的邮件。

osds-down-sentence = 集群 { $cluster } 有 { $number } 个 OSD 离线。
more-osds-down-sentence = 集群 { $cluster } 又有 { $number } 个 OSD 离线。目前共有 { $total } 个离线。
osds-still-down-sentence = 集群 { $cluster } 仍有 { $number } 个 OSD 离线。
osds-up-sentence = 集群 { $cluster } 的所有 OSD 均已恢复{ $but }。
osds-none-down-sentence = 集群 { $cluster } 已无离线 OSD{ $but }。
but-with-nodes = ，但有 { $number } 个随 { $nodes } 离线
osds-flapped-before-sentence = { $number } 个 OSD 此前反复离线：稳定之后才会通知恢复。
osds-flapping-sentence = 集群 { $cluster } 有 { $number } 个 OSD 反复离线又恢复。不会逐次通知；待其稳定或持续离线时，才会发送下一封邮件。
osds-on-hosts-sentence = 它们分布在 { $hosts } 台主机上。
dark-hosts-sentence = { $number ->
    [1] { $hosts } 上没有任何 OSD 在线，但节点本身在线：请检查其磁盘控制器和网络。
   *[other] { $hosts } 上没有任何 OSD 在线，但这些节点本身在线：请检查其磁盘控制器和网络。
}
osd-on-host = 位于 { $host }
osd-stray = 游离（不在任何 CRUSH bucket 中）
osd-on-no-host = 不属于任何主机
osd-out = out
osds-some-out = { $osds }（{ $number } 个 out）
host-stray = 游离
host-none = 无主机
lasting = 持续 { $length }
lasting-up-to = 最长 { $length }

## 关于节点和 OSD 的邮件中的列表。

heading-new = 新增
heading-still-down = 仍离线
heading-up-again = 已恢复
heading-removed = 已不属于集群
heading-by-host = { $heading }（按主机）
heading-was-down = { $heading }（离线时段）
heading-flapping = 反复离线
heading-still-flapping = 仍在反复离线
heading-calm = 已稳定
flapped-before = { $since }，此前反复离线
flapping-up = 在线，{ $since }
flapping-down = 离线，{ $since }
flapping-calm = 稳定，{ $since }
down-by-now-sentence = 目前共有 { $number } 个离线。
come-to-rest-sentence = 此前反复离线的均已稳定。
more-listed-by = …… 另有 { $number } 个；查看全部：{ $command }
more-osds-on-hosts = …… 另有 { $hosts } 台主机上的 { $osds } 个 OSD；查看全部：{ $command }
more-osds-of-nodes = …… 另有 { $nodes } 个节点的 { $osds } 个 OSD；查看全部：{ $command }

## 每封邮件。

# 列表上方的标题。
heading = { $heading }：
# 各项检查在邮件中的名称；Consul 的 leader 也在其中。
check-capacity = 存储空间
check-nodes = 节点
check-osds = OSD
check-health = Ceph 健康状态
check-leader = leader

## HTML 部分中的图。

picture-used = 已用；可用 { $free }，共 { $total }
# 供无法看到图的人使用。
picture-in-words = 已用 { $percent }；超过 { $warn } 为警告，超过 { $critical } 为严重
picture-warn = 警告 { $limit }
picture-critical = 严重 { $limit }
picture-in-7-days = 按此速度 7 天后
picture-nodes = 节点
picture-osds = 各主机的 OSD
picture-down = { $number } 个离线
picture-out = { $number } 个离线且 out
picture-destroyed = { $number } 个已销毁
picture-flapping = { $number } 个反复离线
picture-up = { $number } 个在线
picture-down-of = { $all } 个中有 { $number } 个离线
picture-down-or-flapping = { $number } 个离线或反复离线
picture-down-or-flapping-of = { $all } 个中有 { $number } 个离线或反复离线
picture-all-up = 全部 { $number } 个在线
picture-square = 每个方块代表 { $number } 个节点
picture-more-hosts-up = 另有 { $hosts } 台主机，其 { $osds } 个 OSD 全部在线
# 后面是列出全部的命令。
picture-more-hosts-down = 另有 { $hosts } 台主机：{ $osds } 个 OSD 离线；查看全部：

## 关于 petanotify 无法查看的情况的邮件。

blind-cannot-see-title = petanotify 无法查看：{ $checks }
blind-no-leader-title = Consul 无法选出 leader
blind-cannot-see-and-no-leader-title = petanotify 无法查看：{ $checks }；Consul 无法选出 leader
blind-cause-title = { $what }：{ $cause }
servers-unknown = 本机代理不知道任何服务器
servers-not-gone = 已知 { $known } 台服务器，未发现离线
servers-gone = { $known } 台服务器中有 { $gone } 台离线
server-gone = { $name }（{ $absence }）
blind-could-not-see-title = petanotify 曾有 { $length } 无法查看：{ $checks }
blind-had-no-leader-title = Consul 曾有 { $length } 没有 leader
blind-sees-everything-title = petanotify 已恢复查看全部项目
blind-sees-again-title = petanotify 已恢复查看：{ $checks }
blind-has-leader-title = Consul 已重新选出 leader
blind-cannot-see-sentence = petanotify 无法查看集群 { $cluster } 的状态。以下项目已有一段时间无法检查：{ $checks }。恢复之前不会再有相关告警，此前通知的情况仍然有效。
blind-no-leader-sentence = 集群 { $cluster } 的 Consul 没有 leader，因为能达成一致的服务器太少。依赖 Consul 的一切都已停顿，PetaSAN 的服务也是如此。节点仍在监视之中，依据的是本机代理最后所知的列表。
blind-sees-everything-sentence = petanotify 已能重新检查集群 { $cluster } 的全部项目。期间发生的变化会另发邮件通知。
blind-sees-again-sentence = petanotify 已能重新检查集群 { $cluster } 的以下项目：{ $checks }。期间发生的变化会另发邮件通知。
blind-has-leader-sentence = 集群 { $cluster } 的 Consul 已重新选出 leader。
heading-not-seen = 无法查看
heading-last-known = 最后所知的状态，此后不再更新
known-until = 截至 { $time }
heading-seen-again = 已恢复查看，此前无法查看的时段

## 关于 Ceph 自身所报问题的邮件。

health-error = 错误
health-warning = 警告
health-nothing = 无
health-errors = { $errors } 个错误
health-warnings = { $warnings } 个警告
health-errors-and-warnings = { $errors } 个错误、{ $warnings } 个警告
health-title = Ceph 健康状态：{ $number }
health-codes-title = Ceph 健康状态：{ $number }：{ $codes }
health-first-title = Ceph 健康状态：{ $number }：{ $code } 等，另有 { $others } 项
health-was-wrong-title = Ceph 健康状态曾异常（{ $length }）
health-was-wrong-codes-title = Ceph 健康状态曾异常：{ $codes }（{ $length }）
health-fine-title = Ceph 健康状态已恢复正常
health-nothing-left-title = Ceph 健康状态：已无需要关注的问题
health-sentence = Ceph 报告集群 { $cluster } 有 { $number }。
health-more-sentence = Ceph 报告集群 { $cluster } 新增 { $number }。目前共有 { $all } 项。
health-still-sentence = Ceph 仍在报告集群 { $cluster } 有 { $number }。
health-was-wrong-sentence = Ceph 曾报告集群 { $cluster } 的问题。
health-fine-sentence = Ceph 此前报告的集群 { $cluster } 的问题已全部消除。
health-nothing-left-sentence = Ceph 此前报告的集群 { $cluster } 的问题中，已没有需要关注的；仍然存在的见下文。
health-error-sentence = 错误意味着数据已损坏、已写满或无法访问，若不处理则将会如此。
heading-still-wrong = 仍有问题
heading-fine-again = 已恢复正常，此前异常的时段
heading-left-out = 仍然存在，但已屏蔽或以其他方式排除；此前异常的时段
health-more = …… 另有 { $number } 项

## 汇总免打扰时段所保留告警的邮件。

kind-after-quiet-hours = 免打扰时段之后
digest-title = { $number } 条告警：{ $titles }
digest-more-title = { $number } 条告警：{ $titles }；另有 { $more } 条
digest-title-separator = ；
digest-sentence = 集群 { $cluster } 的 { $number } 条告警因您的免打扰时段保留至 { $time }。
digest-none-over-sentence = 均尚未结束。
digest-all-over-sentence = 均已结束。
digest-some-over-sentence = 其中 { $number } 条已结束，列在最后。
digest-late-sentence = 本邮件迟到了 { $length }：当时无法送达。
digest-as-of-sentence = 尚未结束的内容为 { $time } 时的状况。
digest-alert = { $place }. { $title }（{ $raised }）
digest-alert-as-of = { $place }. { $title }（{ $raised }，{ $time } 时的状况）
heading-in-brief = 其余简述

## 测试邮件。

test-title = petanotify 测试邮件
test-one-of-ways-title = petanotify 测试邮件，第 { $number } 条途径（共 { $ways } 条）
kind-test = 测试
test-headline = petanotify 测试邮件
test-sentence = 这是一封测试邮件，与集群 { $cluster } 的存储空间无关。有人于 { $time } 在 { $node } 上运行了 "petanotify test-mail"，而本邮件已送达，因此告警也能送达。
heading-test-way = 发送途径
test-server = 服务器
test-security = 加密方式
test-login = 登录
test-command = 命令
test-sender = 发件人
test-starttls = STARTTLS，已验证证书
test-starttls-unverified = STARTTLS，未验证证书
test-tls = TLS，已验证证书
test-tls-unverified = TLS，未验证证书
test-no-tls = 无 TLS
test-logs-in = 是
test-no-login = 否
heading-test-checks = 发送到此地址的内容
test-check-off = 无：checks.{ $check } 已关闭
test-check-not-told = 无：该收件人不接收此项
test-when-full = 存储空间使用率超过 { $warn } 以及超过 { $critical } 时
# $held 是下面三条之一。
test-when-node = 节点离线时
test-when-node-held = 节点离线{ $held }时
test-when-osd = OSD 离线时
test-when-osd-held = OSD 离线{ $held }时
test-when-error = Ceph 报告错误时
test-when-error-held = Ceph 报告错误{ $held }时
test-when-warning = Ceph 报告错误或警告时
test-when-warning-held = Ceph 报告错误或警告{ $held }时
test-held-passes = 连续 { $passes } 轮检查
test-held-time = 持续 { $length }
test-held-both = 连续 { $passes } 轮检查且持续 { $length }
test-critical-alone-sentence = 其中只发送严重告警及其结束通知。
test-quiet-hours-sentence = 免打扰时段（{ $hours }）内只发送严重告警，其余的在该时段结束后合为一封邮件发送。
test-nothing-comes-sentence = 不会有告警发送到此地址：它不是收件人。查看收件人：petanotify config show
test-mail = 测试邮件
