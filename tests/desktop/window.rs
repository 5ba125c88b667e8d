//! The real window: what a person sees and clicks, through WebDriver.

use anyhow::Result;
use futures_util::FutureExt as _;
use kiro_desktop_tests::{Home, TrayHost, Window, gateway_binary, is_healthy, until};

const STATE: &str = "document.querySelector('[data-testid=state]').dataset.state";

#[tokio::test]
async fn start_works_and_the_demo_account_streams_an_answer() -> Result<()> {
    let mut tray = TrayHost::start().await?;
    let home = Home::new()?;
    let window = Window::open_with(&home, &[("KIRO_PROXY__STARTUP__START_GATEWAY", "false")]).await?;
    window.wait("stopped", &format!("{STATE} === 'stopped'")).await?;
    assert!(!is_healthy(home.port).await);

    window.click("start").await?;
    window.wait("running", &format!("{STATE} === 'running'")).await?;
    assert!(is_healthy(home.port).await);
    let address = window.text("address").await?;
    assert!(address.contains(&home.port.to_string()), "{address}");

    window.click("add-demo").await?;
    window.find("simulated-badge").await?;
    tray.wait_for_icon("ready").await?;
    tray.wait_for("the label of simulated answers", |entry| entry.label.contains("simulated")).await?;
    let words = "one two three four five six seven eight nine ten ".repeat(4);
    window.type_into("question", &format!("SAY: {words} the end")).await?;
    // Every text the answer has had, so that an answer that came in one piece is told from one that streamed.
    window
        .run(
            "window.seen = [];
             new MutationObserver(() => {
               const text = document.querySelector('[data-testid=answer]')?.textContent.trim();
               if (text && window.seen.at(-1) !== text) window.seen.push(text);
             }).observe(document, { subtree: true, childList: true, characterData: true });",
        )
        .await?;
    window.click("ask").await?;
    let whole = "document.querySelector('[data-testid=answer]').textContent.includes('the end')";
    tray.wait_for_icon("busy").await?;
    window.wait("the whole answer", whole).await?;
    tray.wait_for_icon("ready").await?;
    let seen = window.run("return window.seen").await?;
    let seen = seen.as_array().map_or(0, Vec::len);
    assert!(seen > 2, "the answer came in {seen} pieces");

    window.click("stop").await?;
    window.wait("stopped", &format!("{STATE} === 'stopped'")).await?;
    assert!(!is_healthy(home.port).await);
    window.close().await
}

#[tokio::test]
async fn settings_survive_a_restart_and_the_language_switches_everywhere() -> Result<()> {
    let mut tray = TrayHost::start().await?;
    let home = Home::new()?;
    let window = Window::open(&home).await?;
    window.click("nav-settings").await?;
    assert_eq!(window.run("return document.documentElement.lang").await?, "en");
    let english = window.text("nav-settings").await?;
    tray.wait_for("English words", |entry| entry.label == "Quit").await?;

    window.choose("setting-theme", "dark").await?;
    window.choose("setting-language", "zh-CN").await?;
    window.wait("Chinese", "document.documentElement.lang === 'zh-CN'").await?;
    let chinese = window.text("nav-settings").await?;
    assert!(chinese != english && !chinese.is_ascii(), "{english} became {chinese}");
    tray.wait_for("Chinese words", |entry| entry.label == "退出").await?;
    window.close().await?;

    let window = Window::open(&home).await?;
    window.click("nav-settings").await?;
    window.wait("still Chinese", "document.documentElement.lang === 'zh-CN'").await?;
    assert_eq!(window.text("nav-settings").await?, chinese);
    window.wait("the saved theme", "document.querySelector('[data-testid=setting-theme]').value === 'dark'").await?;
    window.close().await
}

#[tokio::test]
async fn start_at_login_in_the_window_writes_the_entry_and_takes_it_away() -> Result<()> {
    let home = Home::new()?;
    let window = Window::open(&home).await?;
    window.click("nav-settings").await?;
    window.click("setting-at-login").await?;
    until("an autostart entry", async || home.autostart_entries().pop()).await?;
    window.click("setting-at-login").await?;
    until("no autostart entry", async || home.autostart_entries().is_empty().then_some(())).await?;
    window.close().await
}

#[tokio::test]
async fn the_page_can_neither_load_nor_become_anything_foreign() -> Result<()> {
    let home = Home::new()?;
    let foreign = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let elsewhere = format!("http://{}", foreign.local_addr()?);
    let window = Window::open(&home).await?;
    window.find("nav-home").await?;
    let before = window.url().await?;
    let attempts = r#"const done = arguments[arguments.length - 1];
        const result = {};
        const attempt = (name, action) => { try { result[name] = action(); } catch { result[name] = 'refused'; } };
        const wanted = new Set(['script-src-elem', 'script-src', 'img-src', 'connect-src']);
        document.addEventListener('securitypolicyviolation', (event) => {
          wanted.delete(event.effectiveDirective);
          if (wanted.size === 0) { result.inline = window.inlineRan === true; done(result); }
        });
        const inline = document.createElement('script');
        inline.textContent = 'window.inlineRan = true';
        document.head.append(inline);
        attempt('popup', () => window.open('ELSEWHERE/popup') ? 'opened' : 'refused');
        attempt('eval', () => window.eval('1 + 1'));
        attempt('globalTauri', () => typeof window.__TAURI__);
        const frame = document.createElement('iframe');
        frame.src = 'ELSEWHERE/frame';
        const image = new Image();
        image.src = 'ELSEWHERE/picture.png';
        document.body.append(frame, image);
        fetch('ELSEWHERE/data').catch(() => {});"#;
    let tried = window.run_async(&attempts.replace("ELSEWHERE", &elsewhere)).await?;
    assert_eq!(tried["inline"], false, "{tried}");
    assert_eq!(tried["popup"], "refused", "{tried}");
    assert_eq!(tried["eval"], "refused", "{tried}");
    assert_eq!(tried["globalTauri"], "undefined", "{tried}");

    window.run(&format!("location.href = '{elsewhere}/page'")).await?;
    window.click("nav-settings").await?;
    assert_eq!(window.url().await?.split('#').next(), before.split('#').next());
    assert!(foreign.accept().now_or_never().is_none(), "somebody called {elsewhere}");

    let other = window
        .run_async(
            "const done = arguments[arguments.length - 1];
             window.__TAURI_INTERNALS__.invoke('plugin:window|close').then(() => done('allowed'), (error) => done(String(error)));",
        )
        .await?;
    assert!(other.as_str().is_some_and(|error| error.contains("not allowed")), "{other}");
    window.close().await
}

#[tokio::test]
async fn a_data_directory_in_use_is_explained_in_the_window() -> Result<()> {
    let home = Home::new()?;
    let mut owner = home.command(gateway_binary()).args(["serve"]).spawn()?;
    until("the headless gateway answers", async || is_healthy(home.port).await.then_some(())).await?;

    let window = Window::open(&home).await?;
    let pid = owner.id().map(|pid| pid.to_string()).unwrap_or_default();
    window.wait("who uses it", &format!("document.body.textContent.includes('{pid}')")).await?;
    assert!(is_healthy(home.port).await);
    window.close().await?;
    owner.kill().await?;
    Ok(())
}

#[tokio::test]
async fn a_key_from_the_environment_is_neither_left_there_nor_dumped() -> Result<()> {
    let _tray = TrayHost::start().await?;
    let home = Home::new()?;
    let key = "AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA=";
    let mut app = home.launch_with(&["--hidden"], &[("KIRO_PROXY_VAULT_KEY", key)])?;
    until("the gateway answers", async || is_healthy(home.port).await.then_some(())).await?;
    assert!(home.data_dir().join("vault").is_dir(), "the key was used");
    let process = std::path::PathBuf::from(format!("/proc/{}", app.pid()?));
    for file in ["environ", "cmdline"] {
        let content = String::from_utf8_lossy(&std::fs::read(process.join(file))?).into_owned();
        assert!(!content.is_empty() && !content.contains(key) && !content.contains("KIRO_PROXY_VAULT_KEY="), "{file}");
    }
    let limits = std::fs::read_to_string(process.join("limits"))?;
    let core = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap_or_default();
    assert_eq!(core.split_whitespace().skip(4).take(2).collect::<Vec<_>>(), ["0", "0"], "{core}");
    app.terminate()?;
    app.ended().await?;
    Ok(())
}
