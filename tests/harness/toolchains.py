"""Builds each language's clients under .cache/, once and again when their sources change.

Each step stores a hash of its inputs, so that a second run costs nothing. Nothing is
printed unless a step fails; then its whole output is printed.
"""

import hashlib
import pathlib
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
CACHE = ROOT / ".cache" / "clients"
CLIENTS = ROOT / "tests" / "clients"

PYTHON = CACHE / "python" / "bin" / "python"
PYTHON_QUERY = CACHE / "python-query" / "bin" / "python"
JAVA_CLASSES = CACHE / "java" / "classes"
JAVA_LIBRARIES = CACHE / "java" / "libraries"
JAVA = ["java", "-Xmx256m", "-cp", f"{JAVA_CLASSES}:{JAVA_LIBRARIES}/*"]
GO = CACHE / "go"
NODE = CACHE / "node"
LAPIN = CACHE / "rust" / "debug" / "stele-client-lapin"

NEEDED = {
    "java": "Java 17 or newer",
    "mvn": "Maven",
    "go": "Go 1.24 or newer",
    "npm": "Node.js 18 or newer with npm",
    "faketime": "faketime",
    "cargo": "Rust (https://rustup.rs)",
}


def python():
    """The current Python clients."""
    requirements = CLIENTS / "python" / "requirements.txt"
    _once("python", [requirements], lambda log: _virtual_environment(CACHE / "python", requirements, log))


def python_query():
    """The older boto3 that speaks the SQS Query protocol."""
    requirements = CLIENTS / "python" / "requirements-query.txt"
    _once("python-query", [requirements], lambda log: _virtual_environment(CACHE / "python-query", requirements, log))


def java():
    """The Java suites and the libraries under them."""
    project = CLIENTS / "java"
    _once("java", [project], lambda log: _run(["mvn", "-q", "-B", "-f", project / "pom.xml", "package"], log))


def go():
    """The Go suites."""
    _once("go", [CLIENTS / "go"], lambda log: _run(["go", "build", "-o", f"{GO}/", "./..."], log, cwd=CLIENTS / "go"))


def node():
    """The Node suites, beside their packages."""
    _once("node", [CLIENTS / "node"], _node_project)


def python_java_and_node():
    """Everything for a suite with clients in these three languages."""
    python()
    java()
    node()


def rust():
    """The lapin suite."""
    project = CLIENTS / "rust"
    command = ["cargo", "build", "--quiet", "--locked", "--target-dir", CACHE / "rust"]
    _once("rust", [project], lambda log: _run(command, log, cwd=project))


def everything():
    """All of the above."""
    for step in (python, python_query, java, go, node, rust):
        step()


def later(hours):
    """The environment that sets a program's calendar ahead by so many hours, but not its monotonic clock."""
    _need("faketime")
    command = ["faketime", "-m", "--exclude-monotonic", "-f", f"+{hours}h", "env"]
    lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    told = dict(line.split("=", 1) for line in lines if "=" in line)
    return {name: told[name] for name in ("LD_PRELOAD", "FAKETIME", "FAKETIME_DONT_FAKE_MONOTONIC")}


def _once(name, inputs, step):
    CACHE.mkdir(parents=True, exist_ok=True)
    stamp, wanted = CACHE / f"{name}.stamp", _hash(inputs)
    if stamp.exists() and stamp.read_text() == wanted:
        return
    log = CACHE / f"{name}.log"
    with log.open("wb") as file:
        try:
            step(file)
        except subprocess.CalledProcessError as error:
            file.flush()
            sys.exit(f"{log.read_text(errors='replace')}\nsetting up the {name} clients failed: {error}")
    stamp.write_text(wanted)


def _hash(inputs):
    digest = hashlib.sha256()
    for given in inputs:
        files = sorted(path for path in given.rglob("*") if path.is_file()) if given.is_dir() else [given]
        for path in files:
            digest.update(str(path.relative_to(ROOT)).encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


def _virtual_environment(place, requirements, log):
    shutil.rmtree(place, ignore_errors=True)
    _run([sys.executable, "-m", "venv", place], log)
    _run([place / "bin" / "pip", "install", "--quiet", "--requirement", requirements], log)


def _node_project(log):
    shutil.rmtree(NODE, ignore_errors=True)
    shutil.copytree(CLIENTS / "node", NODE)
    _run(["npm", "ci", "--no-audit", "--no-fund"], log, cwd=NODE)


def _run(command, log, cwd=None):
    _need(command[0])
    subprocess.run([str(part) for part in command], cwd=cwd, stdout=log, stderr=log, check=True)


def _need(command):
    if command in NEEDED and not shutil.which(command):
        sys.exit(f"the client tests need {NEEDED[command]}: there is no {command!r} on the path")
