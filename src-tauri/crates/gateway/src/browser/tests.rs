use super::*;
use std::path::Path;

fn url(text: &str) -> Url {
    Url::parse(text).unwrap()
}

fn real() -> SignInPages {
    SignInPages::new(None)
}

#[test]
fn sign_in_pages_are_opened() {
    for page in [
        "https://app.kiro.dev/signin?state=a&code_challenge=b",
        "https://app.kiro.dev/device?user_code=ABCD-EFGH",
        "https://view.awsapps.com/start/#/device?user_code=ABCD-EFGH",
        "https://example-company.awsapps.com/start/#/device?user_code=ABCD-EFGH",
        "https://ssoins-1234567890abcdef.portal.eu-west-1.app.aws/#/device",
        "https://oidc.ap-southeast-3.amazonaws.com/authorize?scopes=codewhisperer%3Acompletions",
        "https://device.sso.us-east-1.amazonaws.com/?user_code=ABCD-EFGH",
        "https://login.microsoftonline.com/tenant/oauth2/v2.0/authorize?client_id=x",
    ] {
        assert_eq!(real().check(&url(page)).as_deref(), Ok(page));
    }
}

#[test]
fn hostile_addresses_are_never_opened() {
    for (hostile, reason) in [
        ("file:///etc/passwd", AddressError::Scheme),
        ("file://///host/share", AddressError::Scheme),
        ("smb://app.kiro.dev/share", AddressError::Scheme),
        ("javascript:alert(1)", AddressError::Scheme),
        ("data:text/html,x", AddressError::Scheme),
        ("http://app.kiro.dev/signin", AddressError::Scheme),
        ("http://127.0.0.1:8080/", AddressError::Scheme),
        ("ms-msdt:/id", AddressError::Scheme),
        ("kiro://kiro.kiroAgent/authenticate-success", AddressError::Scheme),
        ("https://evil.example/", AddressError::Host),
        ("https://app.kiro.dev.evil.example/", AddressError::Host),
        ("https://evilapp.kiro.dev/", AddressError::Host),
        ("https://awsapps.com/start", AddressError::Host),
        ("https://a.b.awsapps.com/start", AddressError::Host),
        ("https://oidc.evil.amazonaws.com/", AddressError::Host),
        ("https://oidc.us-east-1.amazonaws.com.evil.example/", AddressError::Host),
        ("https://oidc.us-east-1.s3.amazonaws.com/", AddressError::Host),
        ("https://127.0.0.1/", AddressError::Host),
        ("https://[::1]/", AddressError::Host),
        ("https://app.kiro.dev@evil.example/", AddressError::Authority),
        ("https://user:secret@app.kiro.dev/", AddressError::Authority),
        ("https://app.kiro.dev:444/", AddressError::Authority),
        ("https://аpp.kiro.dev/", AddressError::Host),
    ] {
        assert_eq!(real().check(&url(hostile)), Err(reason), "{hostile}");
    }
    let long = format!("https://app.kiro.dev/signin?state={}", "a".repeat(9_000));
    assert_eq!(real().check(&url(&long)), Err(AddressError::Length));
}

#[test]
fn an_address_is_one_word_whatever_is_in_it() {
    for text in [
        "https://app.kiro.dev/signin?state=a b",
        "https://app.kiro.dev/signin?state=\"; rm -rf /; \"",
        "https://app.kiro.dev/signin?state='$(touch x)'`id`",
        "https://app.kiro.dev/signin\n--new-flag",
        "https://app.kiro.dev/\t#\r\n'x'",
    ] {
        let address = real().check(&url(text)).unwrap();
        assert!(address.starts_with("https://app.kiro.dev/"), "{address}");
        assert!(address.chars().all(|c| c.is_ascii_graphic() && c != '"' && c != '\''), "{address}");
    }
    assert!(Url::parse("--proxy-server=evil").is_err());
}

#[test]
fn the_stand_in_is_opened_only_while_traffic_is_redirected_to_it() {
    let redirected = SignInPages::new(Some(url("http://127.0.0.1:4100")));
    for page in
        ["http://127.0.0.1:4100/login?idp=Google", "http://localhost:4100/signin", "https://app.kiro.dev/signin"]
    {
        assert!(redirected.check(&url(page)).is_ok(), "{page}");
    }
    for page in ["http://127.0.0.1:4101/", "http://192.0.2.1:4100/", "http://a@127.0.0.1:4100/", "file://127.0.0.1/x"] {
        assert!(redirected.check(&url(page)).is_err(), "{page}");
    }
}

#[test]
fn every_kind_has_an_id_of_its_own_and_a_flag_for_private_windows() {
    let ids: HashSet<&str> = BrowserKind::ALL.iter().map(|kind| kind.id()).collect();
    assert_eq!(ids.len(), BrowserKind::ALL.len());
    for kind in BrowserKind::ALL {
        assert!(kind.private_flag().starts_with("--"));
        assert_eq!(serde_json::to_value(kind).unwrap(), kind.id());
    }
}

#[test]
fn only_whole_paths_are_looked_through_for_programs() {
    let (root, relative) = (std::env::temp_dir(), Path::new("relative"));
    let path = std::env::join_paths([root.as_path(), relative, &root.join("more")]).expect("no separators in them");
    let env = |name: &str| (name == "PATH").then(|| path.clone().into_string().expect("text"));
    assert_eq!(Desktop::from_env(&env).programs, [root.clone(), root.join("more")]);
}

#[test]
#[cfg(target_os = "linux")]
fn without_a_screen_nothing_is_found() {
    let desktop = Desktop::from_env(&|name| (name == "PATH").then(|| "/usr/bin".to_owned()));
    assert!(!desktop.display);
    assert_eq!(detect(&desktop), []);
}

#[cfg(target_os = "linux")]
mod on_this_machine {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    /// A machine with browsers that write down what they were started with.
    struct Machine {
        root: tempfile::TempDir,
        tasks: TaskTracker,
    }

    impl Machine {
        fn new() -> Self {
            let root = tempfile::tempdir().unwrap();
            for folder in ["bin", "share/applications", "config"] {
                std::fs::create_dir_all(root.path().join(folder)).unwrap();
            }
            Self { root, tasks: TaskTracker::new() }
        }

        fn path(&self, rest: &str) -> PathBuf {
            self.root.path().join(rest)
        }

        #[expect(clippy::disallowed_methods, reason = "a program for a test")]
        fn write(&self, rest: &str, text: &str) {
            std::fs::write(self.path(rest), text).unwrap();
        }

        /// A program that records its arguments, one per line and a line for each call.
        fn program(&self, name: &str, exit: u8) -> PathBuf {
            let path = self.path(&format!("bin/{name}"));
            let log = self.path("argv");
            let script = format!(
                "#!/bin/sh\n{{ printf '%s\\037' \"$(basename \"$0\")\" \"$@\"; env | grep -c '^KIRO_'; }} >> '{log}'\nexit {exit}\n",
                log = log.display()
            );
            self.write(&format!("bin/{name}"), &script);
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
            path
        }

        fn browsers(&self) -> Browsers {
            let desktop = Desktop {
                display: true,
                programs: vec![self.path("bin")],
                data: vec![self.path("share")],
                config: vec![self.path("config")],
                home: None,
            };
            Browsers::new(desktop, SignInPages::new(None), self.tasks.clone(), CancellationToken::new())
        }

        fn started_with(&self) -> Vec<Vec<String>> {
            let text = std::fs::read_to_string(self.path("argv")).unwrap_or_default();
            text.lines()
                .map(|line| {
                    let (words, settings) = line.rsplit_once('\u{1f}').unwrap();
                    assert_eq!(settings, "0", "our settings reached the browser");
                    words.split('\u{1f}').map(str::to_owned).collect()
                })
                .collect()
        }
    }

    #[tokio::test]
    async fn entries_win_over_programs_and_the_default_is_marked() {
        let machine = Machine::new();
        machine.program("chromium", 0);
        let flatpak = machine.program("flatpak", 0);
        machine.program("firefox", 0);
        machine.write(
            "share/applications/org.mozilla.firefox.desktop",
            &format!("[Desktop Entry]\nExec={} run org.mozilla.firefox @@u %u @@\n", flatpak.display()),
        );
        machine.write("share/applications/vivaldi-stable.desktop", "[Desktop Entry]\nExec=/nowhere/vivaldi %U\n");
        machine.write(
            "config/mimeapps.list",
            "[Default Applications]\nx-scheme-handler/https=org.mozilla.firefox.desktop\n",
        );
        let found = machine.browsers().detect().await;
        let shown: Vec<(&str, bool)> = found.iter().map(|browser| (browser.kind.id(), browser.default)).collect();
        assert_eq!(shown, [("chromium", false), ("firefox", true)]);
    }

    #[tokio::test]
    async fn a_browser_gets_the_address_as_one_argument_after_its_flag() {
        let machine = Machine::new();
        machine.program("chromium", 0);
        let browsers = machine.browsers();
        let page = url("https://app.kiro.dev/signin?state=$(id)&x='y z'\"`");
        browsers.open(&page, Some("chromium"), true).await.unwrap();
        browsers.open(&page, Some("chromium"), false).await.unwrap();
        browsers.open(&page, None, true).await.unwrap();
        // Without a choice the person's system decides; where it has no opener, the browser that is there.
        browsers.open(&page, None, false).await.unwrap();
        machine.program("xdg-open", 0);
        browsers.open(&page, None, false).await.unwrap();
        let address = "https://app.kiro.dev/signin?state=$(id)&x=%27y%20z%27%22`";
        let private = vec!["chromium".to_owned(), "--incognito".to_owned(), address.to_owned()];
        let plain = vec!["chromium".to_owned(), address.to_owned()];
        let system = vec!["xdg-open".to_owned(), address.to_owned()];
        assert_eq!(machine.started_with(), [private.clone(), plain.clone(), private, plain, system]);
    }

    #[tokio::test]
    async fn refused_pages_unknown_browsers_and_failing_programs_are_told_apart() {
        let machine = Machine::new();
        machine.program("firefox", 4);
        let browsers = machine.browsers();
        let page = url("https://app.kiro.dev/signin");
        let code = async |page: &Url, id: &str| browsers.open(page, Some(id), false).await.unwrap_err().code();
        assert_eq!(code(&url("https://evil.example/"), "firefox").await, "address_refused");
        assert_eq!(code(&page, "opera").await, "unknown_browser");
        assert_eq!(code(&page, "../../bin/sh").await, "unknown_browser");
        assert_eq!(machine.started_with(), Vec::<Vec<String>>::new());
        assert_eq!(code(&page, "firefox").await, "not_started");
        let nothing = Browsers::new(Desktop::default(), real(), TaskTracker::new(), CancellationToken::new());
        assert_eq!(nothing.open(&page, None, false).await.unwrap_err().code(), "no_display");
    }

    #[tokio::test(start_paused = true)]
    async fn a_browser_that_stays_open_holds_up_neither_the_caller_nor_the_end() {
        let machine = Machine::new();
        machine.write("bin/firefox", "#!/bin/sh\nexec sleep 5\n");
        std::fs::set_permissions(machine.path("bin/firefox"), std::fs::Permissions::from_mode(0o755)).unwrap();
        let stop = CancellationToken::new();
        let mut browsers = machine.browsers();
        browsers.stop = stop.clone();
        browsers.open(&url("https://app.kiro.dev/signin"), Some("firefox"), false).await.unwrap();
        assert_eq!(machine.tasks.len(), 1);
        stop.cancel();
        machine.tasks.close();
        machine.tasks.wait().await;
    }
}
