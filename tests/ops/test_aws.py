"""The AWS templates fit the service, and the scripts fit the templates. Nothing here reaches AWS: `aws` and `docker` are
stand-ins that note what they are asked."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Callable, Iterator
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped] # no stubs of it among our packages

from server.app import HANDLERS
from server.cli import parser
from server.edge.page import ADDRESSES, ROOT_FILES
from server.edge.telemetry import EVERY_ANSWER
from server.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
AWS = ROOT / "ops" / "aws"
COMMIT = "0123456789abcdef0123456789abcdef01234567"


class Templates(yaml.SafeLoader):  # type: ignore[misc] # as above
    """Reads CloudFormation's short forms: `!Ref x` is {"Ref": x}."""


def _short_form(loader: Templates, name: str, node: yaml.Node) -> dict[str, Any]:
    if isinstance(node, yaml.ScalarNode):
        return {name: loader.construct_scalar(node)}
    if isinstance(node, yaml.SequenceNode):
        return {name: loader.construct_sequence(node, deep=True)}
    assert isinstance(node, yaml.MappingNode)
    return {name: loader.construct_mapping(node, deep=True)}


Templates.add_multi_constructor("!", _short_form)


@cache
def template(name: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.load((AWS / f"{name}.yaml").read_text(), Templates)  # noqa: S506 - a SafeLoader
    return found


def containers() -> Iterator[dict[str, Any]]:
    for resource in template("service")["Resources"].values():
        if resource["Type"] == "AWS::ECS::TaskDefinition":
            yield from resource["Properties"]["ContainerDefinitions"]


# -- the templates ------------------------------------------------------------------------------------------


def test_tasks_are_told_settings_that_exist_and_run_commands_that_exist() -> None:
    [choices] = [action.choices for action in parser()._actions if isinstance(action.choices, dict)]
    known = {name.upper() for name in Settings.__dataclass_fields__}
    for container in containers():
        told = {entry["Name"] for entry in [*container.get("Environment", []), *container["Secrets"]]}
        assert told <= known, container["Name"]
        assert {"DATABASE_URL", "REDIS_URL", "JWT_SECRET"} <= told
        if container["Name"] in ("server", "worker"):
            assert "METRICS_TOKEN" in told, "behind a proxy nobody may ask for the metrics without it"
        assert container["Command"][0] == "courtside"
        assert container["Command"][1] in choices


def routed_to(path: str) -> str:
    """The origin to which CloudFront hands a path."""
    config = template("page")["Resources"]["Distribution"]["Properties"]["DistributionConfig"]
    for behaviour in config["CacheBehaviors"]:
        if fnmatchcase(path, behaviour["PathPattern"]):
            return str(behaviour["TargetOriginId"])
    return str(config["DefaultCacheBehavior"]["TargetOriginId"])


def test_cloudfront_sends_the_pages_addresses_to_the_bucket_and_every_other_route_to_the_servers() -> None:
    page = {*ADDRESSES, *ROOT_FILES, "/assets/{name:str}"}
    not_for_the_public = {"/metrics"}  # the bucket does not have it
    for handler in HANDLERS:
        for path in handler.paths:  # type: ignore[union-attr] # all of ours are handlers
            wanted = "page" if path in page | not_for_the_public else "service"
            assert routed_to(re.sub(r"{[^}]*}", "x", path)) == wanted, path


def test_the_bucket_says_with_the_page_what_the_server_says_with_it() -> None:
    config = template("page")["Resources"]["PageHeaders"]["Properties"]["ResponseHeadersPolicyConfig"]
    said = config["SecurityHeadersConfig"]
    server = {name.decode(): value.decode() for name, value in EVERY_ANSWER}
    assert said["ContentSecurityPolicy"]["ContentSecurityPolicy"] == server["content-security-policy"]
    assert said["FrameOptions"]["FrameOption"] == server["x-frame-options"]
    assert said["ReferrerPolicy"]["ReferrerPolicy"] == server["referrer-policy"]


def test_what_one_template_takes_from_another_is_there() -> None:
    offered = {
        export["Export"]["Name"]["Sub"].replace("${AWS::StackName}", stack)
        for stack, variable in (("NetworkStack", "network"), ("DataStack", "data"))
        for export in template(variable)["Outputs"].values()
    }
    taken = re.findall(r'ImportValue: !Sub "\$\{(\w+)\}(-[\w-]+)"', "".join(f.read_text() for f in AWS.glob("*.yaml")))
    assert len(taken) > 10
    assert {"".join(pair) for pair in taken} <= offered


def test_the_data_outlives_mistakes() -> None:
    resources = template("data")["Resources"]
    database = resources["Database"]
    assert database["DeletionPolicy"] == "Snapshot"
    assert database["Properties"]["MultiAZ"] is True
    assert database["Properties"]["BackupRetentionPeriod"] == 30
    cache = resources["Cache"]["Properties"]
    assert cache["AutomaticFailoverEnabled"] is True
    assert cache["CacheParameterGroupName"] == "default.redis7"  # cluster mode disabled: arq does not speak it


# -- the scripts --------------------------------------------------------------------------------------------

STAND_IN = """#!/usr/bin/env bash
echo "$(basename "$0") $*" >> "$NOTES"
case "$(basename "$0") $*" in
    *"describe-stacks"*) sed -n 's/.*OutputKey==.\\([A-Za-z]*\\).*/the-\\1/p' <<<"$*" ;;
    *"describe-managed-prefix-lists"*) echo pl-1 ;;
    *"get-managed-prefix-list-entries"*) printf '198.51.100.0/24\\t203.0.113.0/24\\n' ;;
    *"describe-repositories"*) echo 1.dkr.ecr.eu-west-1.amazonaws.com/courtside ;;
    *"describe-images"*) [ -n "${THERE:-}" ] ;;
    *"run-task"*) echo task-1 ;;
    *"exitCode"*) echo "${MIGRATED:-0}" ;;
    "docker create"*) echo container-1 ;;
    "docker cp"*) for to; do :; done; mkdir -p "$to/assets"; touch "$to/index.html"{,.br,.gz} "$to/assets/a.js"{,.br} ;;
esac
"""

Run = Callable[..., tuple[int, list[str]]]


@pytest.fixture
def run_script(tmp_path: Path) -> Run:
    """Runs a command at the root of the repository with stand-ins; its exit status and what they were asked."""
    for name in ("aws", "docker"):
        (tmp_path / name).write_text(STAND_IN)
        (tmp_path / name).chmod(0o755)
    notes = tmp_path / "notes"

    def run(command: str, **more: str) -> tuple[int, list[str]]:
        notes.write_text("")
        env = {
            "PATH": f"{tmp_path}:{os.environ['PATH']}",
            "NOTES": str(notes),
            "PREFIX": "courtside-staging",
            "BUILDER": "arn:builder",
            "AWS_REGION": "eu-west-1",
            "COMMIT": COMMIT,
        }
        done = subprocess.run(
            ["bash", "-eo", "pipefail", "-c", command],
            cwd=ROOT,
            env=env | more,
            check=False,
            capture_output=True,
            text=True,
        )
        return done.returncode, notes.read_text().splitlines()

    return run


def step(name: str) -> str:
    """What a step of the workflow runs, by its name."""
    jobs = yaml.safe_load((ROOT / ".github" / "workflows" / "deploy.yml").read_text())["jobs"]
    [command] = [step["run"] for job in jobs.values() for step in job["steps"] if step.get("name") == name]
    return str(command)


def position(asked: list[str], *words: str) -> int:
    """Where the one request is that has all these words."""
    [found] = [index for index, line in enumerate(asked) if all(word in line for word in words)]
    return found


def test_a_deployment_migrates_first_then_changes_the_servers_then_the_page(run_script: Run) -> None:
    status, asked = run_script(step("Migrate, deploy, and publish the page"))

    assert status == 0
    migration = position(asked, "cloudformation deploy", f"MigrationTag={COMMIT}")
    assert "ImageTag" not in asked[migration]
    assert "TrustedProxies=the-Network,198.51.100.0/24,203.0.113.0/24" in asked[migration]
    order = [
        migration,
        position(asked, "ecs run-task"),
        position(asked, "ecs wait tasks-stopped"),
        position(asked, "cloudformation deploy", f"ImageTag={COMMIT}", "Running=true"),
        position(asked, "docker cp"),
        position(asked, "s3 cp", "immutable", "s3://the-Page/assets"),
        position(asked, "s3 cp", "no-cache"),
        position(asked, "create-invalidation"),
    ]
    assert order == sorted(order)


def test_a_migration_that_fails_leaves_the_servers_as_they_are(run_script: Run) -> None:
    status, asked = run_script(step("Migrate, deploy, and publish the page"), MIGRATED="1")

    assert status == 1
    assert not [line for line in asked if "ImageTag" in line or "s3 cp" in line]


def test_what_the_deployment_names_is_in_the_templates(run_script: Run) -> None:
    _, asked = run_script(step("Migrate, deploy, and publish the page"))
    parameters = template("service")["Parameters"]
    for line in asked:
        if "--parameter-overrides" in line:
            named = re.findall(r"(\w+)=", line.partition("--parameter-overrides")[2])
            assert set(named) <= set(parameters)
        for stack, output in re.findall(r"--stack-name courtside-staging-(\w+) .*OutputKey=='(\w+)'", line):
            assert output in template(stack)["Outputs"]
    assert len([line for line in asked if "describe-stacks" in line]) > 5


def test_the_documents_first_deployment_gives_each_template_what_it_asks_for() -> None:
    text = (ROOT / "docs" / "operations.md").read_text().replace("\\\n", " ")
    told = re.findall(r"^ops/aws/stack\.sh (\w+)(.*)$", text, re.MULTILINE)
    assert {name for name, _ in told} == {path.stem for path in AWS.glob("*.yaml")}
    for name, arguments in told:
        named = set(re.findall(r"(\w+)=", arguments))
        parameters = template(name).get("Parameters", {})
        asked = {parameter for parameter, about in parameters.items() if "Default" not in about}
        assert asked <= named <= parameters.keys(), name


def test_images_are_built_and_pushed_once_for_a_commit(run_script: Run) -> None:
    status, asked = run_script(step("Build and push the images"))
    assert status == 0
    pushed = [line.rpartition(":")[2] for line in asked if line.startswith("docker push")]
    assert pushed == [COMMIT, f"{COMMIT}-backup"]

    status, asked = run_script(step("Build and push the images"), THERE="yes")
    assert status == 0
    assert not [line for line in asked if line.startswith(("docker build", "docker push"))]


def test_only_a_commit_of_main_is_deployed(tmp_path: Path) -> None:
    def git(*arguments: str) -> str:
        command = ["git", "-c", "user.name=a", "-c", "user.email=a@example.com", *arguments]
        return subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, text=True).stdout.strip()

    git("init", "--quiet", "--initial-branch=main")
    git("commit", "--quiet", "--allow-empty", "--message=one")
    first = git("rev-parse", "HEAD")
    git("commit", "--quiet", "--allow-empty", "--message=two")
    git("checkout", "--quiet", "-b", "aside")
    git("commit", "--quiet", "--allow-empty", "--message=never reviewed")
    aside = git("rev-parse", "HEAD")

    for commit, deployed in ((first, True), (aside, False), ("main", False), (first[:12], False)):
        git("checkout", "--quiet", "main")
        done = subprocess.run(
            ["bash", "-eo", "pipefail", "-c", step("See that the commit is on main, and take it")],
            cwd=tmp_path,
            env={"PATH": os.environ["PATH"], "COMMIT": commit},
            check=False,
            capture_output=True,
        )
        assert (done.returncode == 0) is deployed, commit
    assert git("rev-parse", "HEAD") != aside
