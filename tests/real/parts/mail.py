"""A real mail server on loopback: Postfix with TLS, login, and mailboxes to read back."""

import email
import email.policy
import os
import pwd
import shutil

from .processes import Daemon, answers, free_ports, run, wait_until

# Only the accounts below may send, and nothing ever leaves the machine.
MAIN_CF = """\
compatibility_level = 3.6
queue_directory = {folder}/queue
data_directory = {folder}/data
maillog_file = {folder}/mail.log
maillog_file_prefixes = {folder}
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
myhostname = mail.example.org
mydestination =
mynetworks =
alias_maps =
default_transport = error:no mail leaves this machine
relay_transport = error:no mail leaves this machine

virtual_mailbox_domains = {domain}
virtual_mailbox_base = {folder}/mailboxes
virtual_mailbox_maps = texthash:{folder}/mailboxes.map
virtual_uid_maps = static:{uid}
virtual_gid_maps = static:{gid}

smtpd_tls_cert_file = {folder}/server.pem
smtpd_tls_key_file = {folder}/server.key
smtpd_tls_auth_only = yes
smtpd_tls_loglevel = 1
smtpd_sasl_auth_enable = yes
smtpd_sasl_path = smtpd
smtpd_sasl_local_domain = {domain}
smtpd_sasl_security_options = noanonymous
smtpd_relay_restrictions = permit_sasl_authenticated, reject
smtpd_error_sleep_time = 0
smtpd_end_of_data_restrictions =
"""

MASTER_CF = """\
postlog   unix-dgram n -  n - 1 postlogd
{starttls} inet n - n - - smtpd
  -o smtpd_tls_security_level=encrypt
{tls} inet n - n - - smtpd
  -o smtpd_tls_wrappermode=yes
{self_signed} inet n - n - - smtpd
  -o smtpd_tls_security_level=encrypt
  -o smtpd_tls_cert_file={folder}/self-signed.pem
  -o smtpd_tls_key_file={folder}/self-signed.key
{expired} inet n - n - - smtpd
  -o smtpd_tls_security_level=encrypt
  -o smtpd_tls_cert_file={folder}/expired.pem
  -o smtpd_tls_key_file={folder}/expired.key
pickup    unix  n - n 60  1 pickup
cleanup   unix  n - n - 0 cleanup
qmgr      unix  n - n 300 1 qmgr
tlsmgr    unix  - - n 1000? 1 tlsmgr
rewrite   unix  - - n - - trivial-rewrite
bounce    unix  - - n - 0 bounce
defer     unix  - - n - 0 bounce
trace     unix  - - n - 0 bounce
verify    unix  - - n - 1 verify
proxymap  unix  - - n - - proxymap
virtual   unix  - n n - - virtual
error     unix  - - n - - error
retry     unix  - - n - - error
discard   unix  - - n - - discard
anvil     unix  - - n - 1 anvil
"""

SASL_CONF = """\
pwcheck_method: auxprop
auxprop_plugin: sasldb
mech_list: PLAIN LOGIN
sasldb_path: {folder}/etc/sasl/sasldb2
"""

OPENSSL_CNF = """\
[req]
distinguished_name = name
[name]
[ca]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign, cRLSign
[server]
basicConstraints = critical, CA:FALSE
extendedKeyUsage = serverAuth
subjectAltName = DNS:localhost
[authority]
database = {folder}/issued
rand_serial = yes
default_md = sha256
new_certs_dir = {folder}
policy = policy
[policy]
commonName = supplied
"""


class Mail:
    """A Postfix whose accounts may send to its own mailboxes.

    `accounts` maps login names (without the domain) to passwords. The certificate
    is for the name `localhost` alone and comes from the CA in `ca_file`.
    """

    def __init__(self, folder, *, accounts, mailboxes, domain="example.org"):
        self.folder = folder
        self.accounts = accounts
        self.mailboxes = mailboxes
        self.domain = domain
        self.host = "localhost"
        self.ca_file = folder / "ca.pem"
        ports = free_ports(4)
        self.starttls_port, self.tls_port, self.self_signed_port, self.expired_port = ports
        self._master = None
        self._daemon = None

    def __enter__(self):
        try:
            self._create()
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_):
        self.stop()

    def start(self):
        """Starts Postfix and waits until it accepts connections."""
        # `postfix start-fg` would leave a shell between us and the daemon.
        command = [self._master, "-c", self._configuration, "-s"]
        self._daemon = Daemon("postfix", command, self.folder / "postfix.log")

        def listening():
            self._daemon.check()
            ports = (self.starttls_port, self.tls_port, self.self_signed_port)
            return all(answers("127.0.0.1", port) for port in ports)

        wait_until(listening, "Postfix to listen", log=self.folder / "mail.log")

    def stop(self):
        """Ends Postfix; what it holds stays, and nothing listens any more."""
        if self._daemon:
            self._daemon.stop()
            self._daemon = None

    def heal(self):
        """Starts it if it was stopped, and lets it take mail if it was told to defer it."""
        self.defer_after_data(False)
        if not self._daemon:
            self.start()

    def defer_after_data(self, defer):
        """Makes it answer 451 to a mail after having read all of it, or no longer.

        Its log tells the Message-ID of each mail that it has read, deferred or not.
        """
        restriction = "check_client_access static:{451 4.3.0 come back later}" if defer else ""
        wanted = f"smtpd_end_of_data_restrictions = {restriction}".strip()
        main_cf = self._configuration / "main.cf"
        lines = main_cf.read_text().splitlines()
        if lines[-1] == wanted:
            return
        main_cf.write_text("\n".join(lines[:-1] + [wanted, ""]))
        if self._daemon:
            self.stop()
            self.start()

    def address(self, mailbox):
        """The mailbox' e-mail address."""
        return f"{mailbox}@{self.domain}"

    def clear(self):
        """Empties every mailbox."""
        self._wait_until_delivered()
        for mailbox in self.mailboxes:
            for message in self._files(mailbox):
                message.unlink()

    def read(self, mailbox):
        """The mails that have arrived there, in the order of their arrival.

        Waits until Postfix has put every mail that it accepted into its mailbox,
        so that there is none to come.
        """
        self._wait_until_delivered()
        mails = []
        for path in self._files(mailbox):
            with open(path, "rb") as file:
                mails.append(email.message_from_binary_file(file, policy=email.policy.default))
        return mails

    def log(self):
        """What Postfix has logged so far."""
        return (self.folder / "mail.log").read_text(errors="replace")

    # How it is made.

    @property
    def _configuration(self):
        return self.folder / "etc"

    def _files(self, mailbox):
        # The names begin with the time in seconds, then V device I inode M microseconds.
        def arrival(path):
            seconds, rest = path.name.split(".", 2)[:2]
            return int(seconds), int(rest.rpartition("M")[2])

        maildir = self.folder / "mailboxes" / mailbox
        return sorted(maildir.glob("new/*"), key=arrival)

    def _wait_until_delivered(self):
        # A mail moves through these in this order, so that none is overlooked.
        stages = ("maildrop", "incoming", "active", "deferred")

        def empty():
            return not any(
                path.is_file()
                for stage in stages
                for path in (self.folder / "queue" / stage).rglob("*")
            )

        if self._daemon:
            wait_until(empty, "Postfix to deliver all mail", log=self.folder / "mail.log")

    def _create(self):
        folder = self.folder
        owner = pwd.getpwnam("nobody")
        postfix = pwd.getpwnam("postfix")
        values = {
            "folder": folder,
            "domain": self.domain,
            "uid": owner.pw_uid,
            "gid": owner.pw_gid,
            "starttls": f"127.0.0.1:{self.starttls_port}",
            "tls": f"127.0.0.1:{self.tls_port}",
            "self_signed": f"127.0.0.1:{self.self_signed_port}",
            "expired": f"127.0.0.1:{self.expired_port}",
        }
        for name in ("", "etc", "queue", "data", "mailboxes", "etc/sasl"):
            (folder / name).mkdir()
        (folder / "etc" / "main.cf").write_text(MAIN_CF.format(**values))
        (folder / "etc" / "master.cf").write_text(MASTER_CF.format(**values))
        # Debian's Postfix looks for it there and nowhere else.
        (folder / "etc" / "sasl" / "smtpd.conf").write_text(SASL_CONF.format(**values))
        (folder / "mailboxes.map").write_text(
            "".join(f"{self.address(mailbox)} {mailbox}/\n" for mailbox in self.mailboxes)
        )
        os.chown(folder / "mailboxes", owner.pw_uid, owner.pw_gid)
        os.chown(folder / "data", postfix.pw_uid, 0)
        self._create_accounts()
        self._create_certificates()
        # Checks the configuration and makes the queue's folders.
        run(["postfix", "-c", self._configuration, "check"])
        programs = run(["postconf", "-c", self._configuration, "-h", "daemon_directory"]).strip()
        self._master = f"{programs}/master"

    def _create_accounts(self):
        database = self.folder / "etc" / "sasl" / "sasldb2"
        for login, password in self.accounts.items():
            command = ["saslpasswd2", "-p", "-c", "-f", database, "-u", self.domain, login]
            run(command, stdin=password.encode())
        shutil.chown(database, "postfix", "root")

    def _create_certificates(self):
        (self.folder / "openssl.cnf").write_text(OPENSSL_CNF.format(folder=self.folder))
        self._create_certificate("ca", "A private CA", "ca")
        ca = ["-CA", self.ca_file, "-CAkey", self.folder / "ca.key"]
        self._create_certificate("server", "mail.example.org", "server", *ca)
        self._create_certificate("self-signed", "mail.example.org", "server")
        self._create_expired()

    def _create_certificate(self, name, subject, extensions, *issuer):
        command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt"]
        command += ["ec_paramgen_curve:prime256v1", "-noenc", "-days", "30"]
        command += ["-config", self.folder / "openssl.cnf", "-extensions", extensions]
        command += ["-subj", f"/CN={subject}", *issuer]
        command += ["-keyout", self.folder / f"{name}.key", "-out", self.folder / f"{name}.pem"]
        run(command)

    def _create_expired(self):
        # `openssl req` makes none that ends before today; `openssl ca` does, and wants a list.
        (self.folder / "issued").touch()
        self._create_certificate("expired", "mail.example.org", "server")
        configuration = ["-config", self.folder / "openssl.cnf"]
        request = ["openssl", "req", "-new", "-key", self.folder / "expired.key", *configuration]
        run([*request, "-subj", "/CN=mail.example.org", "-out", self.folder / "expired.csr"])
        command = ["openssl", "ca", "-batch", "-notext", *configuration, "-name", "authority"]
        command += ["-cert", self.ca_file, "-keyfile", self.folder / "ca.key"]
        command += ["-startdate", "20240101000000Z", "-enddate", "20240201000000Z"]
        command += ["-extensions", "server", "-in", self.folder / "expired.csr"]
        run([*command, "-out", self.folder / "expired.pem"])
