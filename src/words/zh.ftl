# 邮件的文字。名称不可更改，其后的文字可以替换；$ 开头的变量会被填入。

seconds = { $number } 秒
minutes = { $number } 分钟
hours = { $number } 小时
days = { $number } 天
two-units = { $large } { $small }
osds = { $number } 个 OSD

## Everywhere, for now.

list-separator = 、
between-sentences = { "" }
untold = 该情况现已结束；持续期间未能送达任何相关邮件。
heading-new = 新增
heading-look-closer = 查看详情的命令
host-stray = 游离
host-none = 无主机

## 每封邮件。

# 列表上方的标题。
heading = { $heading }：
# 各项检查在邮件中的名称；Consul 的 leader 也在其中。
check-capacity = 容量
check-nodes = 节点
check-osds = OSD
check-health = Ceph 健康状态
check-leader = leader

## HTML 部分中的图。

picture-used = 已用，剩余 { $free }，共 { $total }
# 供无法看到图的人使用。
picture-in-words = 已用 { $percent }；超过 { $warn } 告警，超过 { $critical } 为严重
picture-warn = 告警 { $limit }
picture-critical = 严重 { $limit }
picture-in-7-days = 按此速度 7 天后
picture-nodes = 节点
picture-osds = 各主机的 OSD
picture-down = { $number } 个故障
picture-out = { $number } 个故障且已移出（out）
picture-destroyed = { $number } 个已销毁
picture-flapping = { $number } 个反复上下线
picture-up = { $number } 个正常
picture-down-of = { $all } 个中有 { $number } 个故障
picture-down-or-flapping = { $number } 个故障或反复上下线
picture-down-or-flapping-of = { $all } 个中有 { $number } 个故障或反复上下线
picture-all-up = 全部 { $number } 个正常
picture-square = 每个方块代表 { $number } 个节点
picture-more-hosts-up = 另有 { $hosts } 台主机，其 { $osds } 个 OSD 全部正常
# 后面是列出全部的命令。
picture-more-hosts-down = 另有 { $hosts } 台主机：{ $osds } 个 OSD 故障；查看全部：

## 关于 petanotify 无法查看的情况的邮件。

blind-cannot-see-title = petanotify 无法查看：{ $checks }
blind-no-leader-title = Consul 无法选出 leader
blind-cannot-see-and-no-leader-title = petanotify 无法查看：{ $checks }；Consul 无法选出 leader
blind-cause-title = { $what }：{ $cause }
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
heading-left-out = 仍然存在，但已静音或以其他方式排除；此前异常的时段
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
test-sentence = 这是一封测试邮件，与集群 { $cluster } 的存储状况无关。有人于 { $time } 在 { $node } 上运行了 "petanotify test-mail"，而本邮件已送达，因此告警也能送达。
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
test-when-full = 存储使用率超过 { $warn } 以及超过 { $critical } 时
# $held 是下面三条之一。
test-when-node = 节点故障时
test-when-node-held = 节点故障{ $held }时
test-when-osd = OSD 故障时
test-when-osd-held = OSD 故障{ $held }时
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
