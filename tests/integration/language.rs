//! The language of mails, and wording of an admin's own.

use std::fs;

use crate::cluster::Cluster;

#[test]
fn mails_are_in_the_language_that_is_set() {
    let mut cluster = Cluster::new();
    for (language, full, subject, words) in [
        ("en", "en", "test mail from petanotify", "This is a test."),
        ("de", "de", "Testmail von petanotify", "Dies ist ein Test."),
        ("zh", "zh-Hans", "petanotify 测试邮件", "这是一封测试邮件"),
    ] {
        cluster.set("mail.language", &format!("\"{language}\""));
        cluster.run(&["test-mail"]).exits(0);
        let mails = cluster.relay.take_mails();
        assert!(
            mails[0].subject().ends_with(&format!("] {subject}")),
            "{}",
            mails[0].subject()
        );
        let mail = mails[0].parsed();
        let [text, html] = mail.subparts.as_slice() else {
            panic!("{} parts", mail.subparts.len());
        };
        let text = text.get_body().unwrap();
        assert!(text.starts_with(words), "{text}");
        let html = html.get_body().unwrap();
        let tag = format!("<html lang=\"{full}\">");
        assert!(html.contains(&tag), "{html}");
    }
    cluster.set("mail.language", "\"fr\"");
    cluster
        .check()
        .exits(78)
        .says(&["mail.language", "\"fr\" is none of \"en\", \"de\", \"zh\""]);
}

#[test]
fn what_an_admin_has_written_is_said_and_what_cannot_be_used_is_told_where_mail_is_written() {
    let mut cluster = Cluster::new();
    let folder = cluster.folder().join("templates");
    fs::create_dir(&folder).unwrap();
    cluster.set("mail.template_dir", &format!("{folder:?}"));
    let file = folder.join("en.ftl");
    let subject = |cluster: &Cluster| cluster.relay.take_mails()[0].subject();

    let missing = cluster.run(&["test-mail"]);
    missing
        .exits(0)
        .says(&["cannot use", "en.ftl", "No such file or directory"]);
    assert!(subject(&cluster).ends_with("] test mail from petanotify"));

    fs::write(
        &file,
        "test-title = hello\n    Bcc: evil@example.org\ntest-headline = { $node }\ntest-subject = x\n",
    )
    .unwrap();
    let run = cluster.run(&["test-mail"]);
    run.exits(0).says(&[
        "en.ftl: test-headline: there is no $node in it; there is none",
        "petanotify's own wording takes its place",
    ]);
    run.says(&["there is no message test-subject; the nearest is test-"]);
    let mails = cluster.relay.take_mails();
    assert!(
        mails[0]
            .subject()
            .ends_with("] hello Bcc: evil@example.org"),
        "{}",
        mails[0].subject()
    );
    assert_eq!(mails[0].header("Bcc"), None);
    let text = mails[0].parsed().subparts[1].get_body().unwrap();
    assert!(text.contains("Test mail from petanotify"), "{text}");

    // A pass that mails nothing does not even look at it; one that does, tells.
    cluster.check().exits(0).is_silent();
    cluster.ceph.situation("18.2.7", "one-osd-down");
    cluster
        .check()
        .exits(0)
        .says(&["test-headline: there is no $node"]);

    let run = cluster.run(&["config", "check"]);
    assert!(
        run.stdout.contains("en.ftl replaces 1 message"),
        "{}",
        run.stdout
    );
    assert!(
        run.stdout
            .contains("petanotify config templates --language en"),
        "{}",
        run.stdout
    );

    fs::write(&file, b"test-title = \xff\n").unwrap();
    let run = cluster.run(&["test-mail"]);
    run.exits(0).says(&["en.ftl: line 1 is not in UTF-8"]);
}

#[test]
fn all_that_mails_say_can_be_printed_and_is_a_wording_that_can_be_used() {
    let mut cluster = Cluster::new();
    cluster.set("mail.language", "\"de\"");
    let german = cluster
        .run(&["config", "templates"])
        .exits(0)
        .stdout
        .clone();
    assert!(german.contains("\ntest-title = Testmail von petanotify\n"));
    let english = cluster.run(&["config", "templates", "--language", "en"]);
    let english = &english.exits(0).stdout;
    assert!(english.contains("\ntest-title = test mail from petanotify\n"));
    cluster
        .run(&["config", "templates", "--language", "fr"])
        .exits(2)
        .says(&["[possible values: en, de, zh]"]);

    let file = cluster.file("de.ftl", &german, 0o644);
    let folder = file.parent().unwrap();
    cluster.set("mail.template_dir", &format!("{folder:?}"));
    let run = cluster.run(&["test-mail"]);
    run.exits(0);
    assert_eq!(run.stderr, "");
    let subject = cluster.relay.take_mails()[0].subject();
    assert!(subject.ends_with("] Testmail von petanotify"), "{subject}");
}
