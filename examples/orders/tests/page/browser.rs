//! Chromium without a window, led by its DevTools protocol through a pipe: messages are JSON, each
//! with a zero byte behind it (<https://chromedevtools.github.io/devtools-protocol/>).

use std::{
    process::Stdio,
    sync::{Arc, Mutex, PoisonError},
};

use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader},
    process::{Child, ChildStdin, ChildStdout, Command},
    sync::Mutex as AsyncMutex,
    time::{Instant, sleep, timeout},
};

use crate::{TIMEOUT, shop::POLL};

/// Chromium reads its descriptor 3 and writes 4. Without `--no-sandbox` it refuses to run as root.
const START: &str = "exec chromium \"$@\" 3<&0 4>&1 </dev/null >/dev/null 2>&1";

const ARGUMENTS: [&str; 9] = [
    "--headless=new",
    "--remote-debugging-pipe",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--no-first-run",
    "--window-size=1400,1000",
    "about:blank",
];

/// A page in a browser of its own.
pub(crate) struct Page {
    url: String,
    session: String,
    talk: AsyncMutex<Talk>,
    complaints: Arc<Mutex<Vec<String>>>,
    browser: Child,
    _profile: TempDir,
}

/// Both directions of the pipe.
struct Talk {
    last: u64,
    to: ChildStdin,
    from: BufReader<ChildStdout>,
}

/// Opens an address.
pub(crate) async fn open(url: &str) -> Page {
    let found = Command::new("sh")
        .args(["-c", "command -v chromium"])
        .output();
    let found = found.await.unwrap().status.success();
    assert!(
        found,
        "there is no `chromium`: install the Debian package `chromium`"
    );
    let profile = tempfile::tempdir().unwrap();
    let mut browser = Command::new("sh")
        .args(["-c", START, "sh"])
        .args(ARGUMENTS)
        .arg(format!("--user-data-dir={}", profile.path().display()))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let talk = Talk {
        last: 0,
        to: browser.stdin.take().unwrap(),
        from: BufReader::new(browser.stdout.take().unwrap()),
    };
    let mut page = Page {
        url: url.to_owned(),
        session: String::new(),
        talk: AsyncMutex::new(talk),
        complaints: Arc::default(),
        browser,
        _profile: profile,
    };
    let targets = page.call("Target.getTargets", json!({})).await;
    let targets = targets["targetInfos"].as_array().unwrap();
    let target = targets.iter().find(|it| it["type"] == "page").unwrap();
    let attach = json!({ "targetId": target["targetId"], "flatten": true });
    let attached = page.call("Target.attachToTarget", attach).await;
    page.session = attached["sessionId"].as_str().unwrap().to_owned();
    for domain in ["Page", "Runtime", "Log"] {
        page.call(&format!("{domain}.enable"), json!({})).await;
    }
    page.load().await;
    page
}

impl Page {
    /// Loads the page, again if it was loaded.
    pub(crate) async fn load(&self) {
        self.run("window.isOld = true").await;
        let answer = self.call("Page.navigate", json!({ "url": self.url })).await;
        assert_eq!(answer["errorText"], Value::Null, "{answer}");
        self.wait("!window.isOld && document.readyState === 'complete'")
            .await;
    }

    /// Waits until an expression is true.
    pub(crate) async fn wait(&self, expression: &str) {
        let begun = Instant::now();
        while self.value(expression).await != Value::Bool(true) {
            if begun.elapsed() > TIMEOUT {
                let shown = self.value("document.body.innerText").await;
                let complaints = self.complaints();
                panic!("not so: {expression}\n{complaints:?}\n{shown}");
            }
            sleep(POLL).await;
        }
    }

    /// The value of an expression, awaited if it is a promise.
    pub(crate) async fn value(&self, expression: &str) -> Value {
        let evaluate = json!({
            "expression": expression, "awaitPromise": true, "returnByValue": true,
        });
        let answer = self.call("Runtime.evaluate", evaluate).await;
        let thrown = &answer["exceptionDetails"];
        assert_eq!(*thrown, Value::Null, "{expression}");
        answer["result"]["value"].clone()
    }

    /// Runs something.
    pub(crate) async fn run(&self, statement: &str) {
        self.value(&format!("{{ {statement}; undefined }}")).await;
    }

    /// Clicks in the middle of an element, which has to be what is seen there.
    pub(crate) async fn click(&self, selector: &str) {
        let find = format!(
            "(() => {{
                const found = document.querySelector({});
                if (!found || found.disabled) return null;
                found.scrollIntoView({{ block: 'center', inline: 'center' }});
                const box = found.getBoundingClientRect();
                const [x, y] = [box.x + box.width / 2, box.y + box.height / 2];
                return found.contains(document.elementFromPoint(x, y)) ? [x, y] : null;
            }})()",
            json!(selector)
        );
        let begun = Instant::now();
        let place = loop {
            let place = self.value(&find).await;
            if place.is_array() {
                break place;
            }
            assert!(begun.elapsed() < TIMEOUT, "{selector} can't be clicked");
            sleep(POLL).await;
        };
        for kind in ["mousePressed", "mouseReleased"] {
            let event = json!({
                "type": kind, "x": place[0], "y": place[1], "button": "left", "clickCount": 1,
            });
            self.call("Input.dispatchMouseEvent", event).await;
        }
    }

    /// Presses a key, which has a name and a number.
    pub(crate) async fn press(&self, key: &str, code: u32) {
        let text = if key == "Enter" { "\r" } else { "" };
        for kind in ["keyDown", "keyUp"] {
            let event = json!({
                "type": kind, "key": key, "code": key, "windowsVirtualKeyCode": code, "text": text,
            });
            self.call("Input.dispatchKeyEvent", event).await;
        }
    }

    /// What went wrong in the page: exceptions, and errors such as a violated policy.
    pub(crate) fn complaints(&self) -> Vec<String> {
        let complaints = self.complaints.lock();
        complaints.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Ends the browser.
    pub(crate) async fn close(mut self) {
        self.session.clear();
        self.call("Browser.close", json!({})).await;
        self.browser.wait().await.unwrap();
    }

    async fn call(&self, method: &str, parameters: Value) -> Value {
        let mut talk = self.talk.lock().await;
        talk.last += 1;
        let id = talk.last;
        let mut message = json!({ "id": id, "method": method, "params": parameters });
        if !self.session.is_empty() {
            message["sessionId"] = Value::from(self.session.clone());
        }
        let mut bytes = message.to_string().into_bytes();
        bytes.push(0);
        talk.to.write_all(&bytes).await.unwrap();
        loop {
            let mut bytes = Vec::new();
            let reading = talk.from.read_until(0, &mut bytes);
            let read = timeout(TIMEOUT, reading).await.expect("Chromium answers");
            assert!(read.unwrap() > 0, "Chromium has ended");
            bytes.pop();
            let answer: Value = serde_json::from_slice(&bytes).unwrap();
            if answer["id"] == id {
                assert_eq!(answer["error"], Value::Null, "{method}");
                return answer["result"].clone();
            }
            self.note(&answer);
        }
    }

    fn note(&self, event: &Value) {
        let parameters = &event["params"];
        let is_bad = match event["method"].as_str() {
            Some("Runtime.exceptionThrown") => true,
            Some("Log.entryAdded") => parameters["entry"]["level"] == "error",
            _ => false,
        };
        if is_bad {
            let mut complaints = self.complaints.lock().unwrap();
            complaints.push(parameters.to_string());
        }
    }
}
