#!/usr/bin/env python3
"""Identities by boto3 and the aws CLI: the whole life of users, groups, roles, policies and keys, and what becomes of them in a crash.

    iam.py [--binary PATH]

What is made is found, listed page by page, changed and deleted; what would leave something behind is refused, with the code that boto3 has a
class for, after one request; each quota is reached; names, paths and documents come back as they were sent, also after kill -9 at any moment
between two changes. Two accounts never see each other. Secrets are told once: no file of the data directory, no log and no metric has one.
"""
import argparse
import base64
import http.client
import json
import os
import pathlib
import re
import subprocess
import sys
import threading
import urllib.parse

from botocore.exceptions import ClientError

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tests"))
import sdk  # noqa: E402
from checks import check, finish  # noqa: E402
from security.plaintext import files_under, search  # noqa: E402
from server import Helenus  # noqa: E402

ACCOUNT, OTHER = "123456789012", "210987654321"
ALLOW = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": ["cassandra:Select"], "Resource": "*"}]}
TRUST = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"},
                                                 "Action": "sts:AssumeRole"}]}
ADMINISTRATOR = "arn:aws:iam::aws:policy/AdministratorAccess"
TEXT, TRUSTS = json.dumps(ALLOW), json.dumps(TRUST)
secrets = []


def client(server, account=ACCOUNT):
    return sdk.client(server, "iam", account, region="us-east-1")


def refused(code, call, **members):
    """The code, after one request."""
    try:
        answer = call(**members)
    except ClientError as error:
        check(error.response["Error"]["Code"] == code and error.response["ResponseMetadata"]["RetryAttempts"] == 0,
              f"{code} of {call.__name__} {members}", error)
        return error.response["Error"]["Message"]
    check(False, f"{code} of {call.__name__} {members}", answer)
    return ""


def pages(call, member, **members):
    """All elements, two at a time."""
    found, marker = [], {}
    while True:
        answer = call(MaxItems=2, **members, **marker)
        check(len(answer[member]) <= 2 and answer["IsTruncated"] == ("Marker" in answer), f"a page of {call.__name__}", answer)
        found += answer[member]
        if "Marker" not in answer:
            return found
        marker = {"Marker": answer["Marker"]}


def arn(kind, name):
    return f"arn:aws:iam::{ACCOUNT}:{kind}/{name}"


# ---- users and groups ----

def users(iam):
    made = iam.create_user(UserName="Alice", Path="/eng/core/", Tags=[{"Key": "team", "Value": "rot"}])["User"]
    check(made["Arn"] == arn("user", "eng/core/Alice") and re.fullmatch("AIDA[A-Z2-7]{17}", made["UserId"])
          and made["Path"] == "/eng/core/" and made["Tags"] == [{"Key": "team", "Value": "rot"}], "a user", made)
    got = iam.get_user(UserName="Alice")["User"]
    check(got == made, "GetUser", got)
    refused("EntityAlreadyExists", iam.create_user, UserName="aLICE")
    refused("NoSuchEntity", iam.get_user, UserName="bob")
    refused("ValidationError", iam.create_user, UserName="a b")
    for name in ("b1", "b2", "b3", "b4"):
        iam.create_user(UserName=name)
    check([user["UserName"] for user in pages(iam.list_users, "Users")] == ["Alice", "b1", "b2", "b3", "b4"], "users, page by page")
    check([user["UserName"] for user in iam.list_users(PathPrefix="/eng/")["Users"]] == ["Alice"], "users by path")
    refused("ValidationError", iam.list_users, Marker="made up")
    iam.update_user(UserName="Alice", NewUserName="Al", NewPath="/")
    check(iam.get_user(UserName="al")["User"]["UserId"] == made["UserId"], "another name, the same user")
    refused("NoSuchEntity", iam.get_user, UserName="Alice")
    refused("EntityAlreadyExists", iam.update_user, UserName="Al", NewUserName="B1")
    iam.update_user(UserName="Al", NewUserName="AL")
    check(iam.get_user(UserName="AL")["User"]["UserName"] == "AL", "another case")
    for name in ("AL", "b1", "b2", "b3", "b4"):
        iam.delete_user(UserName=name)
    refused("NoSuchEntity", iam.delete_user, UserName="AL")
    check(iam.list_users()["Users"] == [], "no users")
    root = iam.get_user()["User"]
    check(root["Arn"] == f"arn:aws:iam::{ACCOUNT}:root" and root["UserId"] == ACCOUNT, "the root", root)


def groups(iam):
    group = iam.create_group(GroupName="devs", Path="/g/")["Group"]
    check(group["Arn"] == arn("group", "g/devs") and group["GroupId"].startswith("AGPA"), "a group", group)
    for name in ("u1", "u2", "u3"):
        iam.create_user(UserName=name)
        iam.add_user_to_group(GroupName="devs", UserName=name)
    iam.add_user_to_group(GroupName="devs", UserName="u1")
    check({user["UserName"] for user in pages(iam.get_group, "Users", GroupName="devs")} == {"u1", "u2", "u3"}, "who is in it")
    for i in range(9):
        iam.create_group(GroupName=f"g{i}")
        iam.add_user_to_group(GroupName=f"g{i}", UserName="u1")
    iam.create_group(GroupName="g9")
    refused("LimitExceeded", iam.add_user_to_group, GroupName="g9", UserName="u1")
    check(len(pages(iam.list_groups_for_user, "Groups", UserName="u1")) == 10, "groups of a user")
    check(len(pages(iam.list_groups, "Groups")) == 11, "groups")
    refused("DeleteConflict", iam.delete_group, GroupName="devs")
    refused("DeleteConflict", iam.delete_user, UserName="u1")
    refused("NoSuchEntity", iam.remove_user_from_group, GroupName="g9", UserName="u1")
    iam.update_group(GroupName="devs", NewGroupName="ops")
    check(iam.get_group(GroupName="ops")["Group"]["GroupId"] == group["GroupId"], "a group's other name")
    for name in ("u1", "u2", "u3"):
        for group in iam.list_groups_for_user(UserName=name)["Groups"]:
            iam.remove_user_from_group(GroupName=group["GroupName"], UserName=name)
        iam.delete_user(UserName=name)
    for name in ["ops"] + [f"g{i}" for i in range(10)]:
        iam.delete_group(GroupName=name)


# ---- roles ----

def roles(iam):
    made = iam.create_role(RoleName="reader", AssumeRolePolicyDocument=TRUSTS, Description="reads", MaxSessionDuration=7200,
                           PermissionsBoundary=ADMINISTRATOR, Tags=[{"Key": "a", "Value": ""}])["Role"]
    check(made["Arn"] == arn("role", "reader") and made["RoleId"].startswith("AROA"), "a role", made)
    got = iam.get_role(RoleName="reader")["Role"]
    check(got["AssumeRolePolicyDocument"] == TRUST and got["Description"] == "reads" and got["MaxSessionDuration"] == 7200
          and got["PermissionsBoundary"] == {"PermissionsBoundaryType": "PermissionsBoundaryPolicy", "PermissionsBoundaryArn": ADMINISTRATOR}
          and got["Tags"] == [{"Key": "a", "Value": ""}], "GetRole", got)
    refused("MalformedPolicyDocument", iam.create_role, RoleName="bad", AssumeRolePolicyDocument=TEXT)
    refused("LimitExceeded", iam.create_role, RoleName="bad", AssumeRolePolicyDocument=json.dumps({**TRUST, "Id": "x" * 2048}))
    iam.update_role(RoleName="reader", Description="reads more", MaxSessionDuration=3600)
    other = {**TRUST, "Id": "two"}
    iam.update_assume_role_policy(RoleName="reader", PolicyDocument=json.dumps(other))
    got = iam.get_role(RoleName="READER")["Role"]
    check(got["Description"] == "reads more" and got["MaxSessionDuration"] == 3600 and got["AssumeRolePolicyDocument"] == other, "a changed role", got)
    got = iam.update_role_description(RoleName="reader", Description="less")["Role"]
    check(got["Description"] == "less", "UpdateRoleDescription", got)
    iam.delete_role_permissions_boundary(RoleName="reader")
    refused("NoSuchEntity", iam.delete_role_permissions_boundary, RoleName="reader")
    iam.put_role_policy(RoleName="reader", PolicyName="own", PolicyDocument=TEXT)
    refused("DeleteConflict", iam.delete_role, RoleName="reader")
    iam.delete_role_policy(RoleName="reader", PolicyName="own")
    check([role["RoleName"] for role in iam.list_roles()["Roles"]] == ["reader"], "roles")
    iam.delete_role(RoleName="reader")
    refused("NoSuchEntity", iam.get_role, RoleName="reader")


# ---- policies ----

def versions(iam, policy):
    documents = [{**ALLOW, "Id": f"v{i}"} for i in range(1, 6)]
    for i in range(1, 5):
        made = iam.create_policy_version(PolicyArn=policy, PolicyDocument=json.dumps(documents[i]), SetAsDefault=i % 2 == 0)["PolicyVersion"]
        check(made["VersionId"] == f"v{i + 1}" and made["IsDefaultVersion"] == (i % 2 == 0), "a version", made)
    refused("LimitExceeded", iam.create_policy_version, PolicyArn=policy, PolicyDocument=TEXT)
    check([version["VersionId"] for version in pages(iam.list_policy_versions, "Versions", PolicyArn=policy)] == ["v5", "v4", "v3", "v2", "v1"],
          "versions")
    check(iam.get_policy_version(PolicyArn=policy, VersionId="v4")["PolicyVersion"]["Document"] == documents[3], "a version's document")
    refused("DeleteConflict", iam.delete_policy_version, PolicyArn=policy, VersionId="v5")
    refused("DeleteConflict", iam.delete_policy, PolicyArn=policy)
    refused("NoSuchEntity", iam.set_default_policy_version, PolicyArn=policy, VersionId="v9")
    iam.set_default_policy_version(PolicyArn=policy, VersionId="v2")
    check(iam.get_policy(PolicyArn=policy)["Policy"]["DefaultVersionId"] == "v2", "the version in force")
    for version in ("v1", "v3", "v4", "v5"):
        iam.delete_policy_version(PolicyArn=policy, VersionId=version)
    made = iam.create_policy_version(PolicyArn=policy, PolicyDocument=TEXT)["PolicyVersion"]
    check(made["VersionId"] == "v6", "a version's number is never used again", made)
    iam.delete_policy_version(PolicyArn=policy, VersionId="v6")


def policies(iam):
    made = iam.create_policy(PolicyName="Read", Path="/p/", PolicyDocument=TEXT, Description="what it is for",
                             Tags=[{"Key": "k", "Value": "v"}])["Policy"]
    policy = made["Arn"]
    check(policy == arn("policy", "p/Read") and made["PolicyId"].startswith("ANPA") and made["DefaultVersionId"] == "v1"
          and made["AttachmentCount"] == 0 and made["IsAttachable"], "a policy", made)
    got = iam.get_policy(PolicyArn=policy)["Policy"]
    check(got["Description"] == "what it is for" and got["Tags"] == [{"Key": "k", "Value": "v"}], "GetPolicy", got)
    for bad in (f"arn:aws:iam::{ACCOUNT}:policy/Read", f"arn:aws:iam::{OTHER}:policy/p/Read", arn("policy", "p/none")):
        refused("NoSuchEntity", iam.get_policy, PolicyArn=bad)
    refused("InvalidInput", iam.get_policy, PolicyArn="arn:aws:iam:nothing:policy:x")
    message = refused("MalformedPolicyDocument", iam.create_policy, PolicyName="bad", PolicyDocument='{"Version": "2012-10-17", "Statement": {}}')
    check(message, "what is malformed is told", message)
    refused("LimitExceeded", iam.create_policy, PolicyName="bad", PolicyDocument=json.dumps({**ALLOW, "Id": "x" * 6144}))
    versions(iam, policy)
    iam.create_user(UserName="u")
    iam.create_group(GroupName="g")
    iam.create_role(RoleName="r", AssumeRolePolicyDocument=TRUSTS)
    for attach, member in ((iam.attach_user_policy, {"UserName": "u"}), (iam.attach_group_policy, {"GroupName": "g"}),
                           (iam.attach_role_policy, {"RoleName": "r"})):
        attach(PolicyArn=policy, **member)
        attach(PolicyArn=policy, **member)
        attach(PolicyArn=ADMINISTRATOR, **member)
    iam.put_user_permissions_boundary(UserName="u", PermissionsBoundary=policy)
    got = iam.get_policy(PolicyArn=policy)["Policy"]
    check(got["AttachmentCount"] == 3 and got["PermissionsBoundaryUsageCount"] == 1, "counts", got)
    entities = iam.list_entities_for_policy(PolicyArn=policy, PolicyUsageFilter="PermissionsPolicy")
    check([[one[f"{kind}Name"] for one in entities[f"Policy{kind}s"]] for kind in ("User", "Group", "Role")] == [["u"], ["g"], ["r"]],
          "who has it", entities)
    bounded = iam.list_entities_for_policy(PolicyArn=policy, PolicyUsageFilter="PermissionsBoundary")
    check([one["UserName"] for one in bounded["PolicyUsers"]] == ["u"] and not bounded["PolicyRoles"], "whose boundary it is", bounded)
    check({one["PolicyArn"] for one in pages(iam.list_attached_user_policies, "AttachedPolicies", UserName="u")} == {policy, ADMINISTRATOR},
          "what is attached")
    check([one["PolicyName"] for one in iam.list_policies(Scope="Local")["Policies"]] == ["Read"], "the account's policies")
    names = [one["PolicyName"] for one in pages(iam.list_policies, "Policies")]
    check(len(names) == 7 and names[-1] == "Read" and "AmazonKeyspacesFullAccess" in names, "policies, AWS's too", names)
    check({one["PolicyName"] for one in iam.list_policies(OnlyAttached=True)["Policies"]} == {"AdministratorAccess", "Read"}, "attached ones")
    refused("DeleteConflict", iam.delete_policy, PolicyArn=policy)
    refused("InvalidInput", iam.delete_policy, PolicyArn=ADMINISTRATOR)
    refused("DeleteConflict", iam.delete_user, UserName="u")
    for detach, member in ((iam.detach_user_policy, {"UserName": "u"}), (iam.detach_group_policy, {"GroupName": "g"}),
                           (iam.detach_role_policy, {"RoleName": "r"})):
        for one in (policy, ADMINISTRATOR):
            detach(PolicyArn=one, **member)
        refused("NoSuchEntity", detach, PolicyArn=policy, **member)
    refused("DeleteConflict", iam.delete_policy, PolicyArn=policy)
    iam.delete_user_permissions_boundary(UserName="u")
    iam.delete_user(UserName="u")
    iam.delete_group(GroupName="g")
    iam.delete_role(RoleName="r")
    iam.delete_policy(PolicyArn=policy)
    refused("NoSuchEntity", iam.get_policy, PolicyArn=policy)


def inline(iam):
    iam.create_user(UserName="u")
    iam.create_group(GroupName="u")
    for kind, member in (("user", {"UserName": "u"}), ("group", {"GroupName": "u"})):
        put, get = getattr(iam, f"put_{kind}_policy"), getattr(iam, f"get_{kind}_policy")
        spelt = json.dumps(ALLOW, indent=2)
        put(PolicyName="one", PolicyDocument=spelt, **member)
        check(get(PolicyName="one", **member)["PolicyDocument"] == ALLOW, f"a {kind}'s own policy")
        for name in ("three", "two", "one"):
            put(PolicyName=name, PolicyDocument=TEXT, **member)
        check(pages(getattr(iam, f"list_{kind}_policies"), "PolicyNames", **member) == ["one", "three", "two"], f"a {kind}'s policies")
        refused("MalformedPolicyDocument", put, PolicyName="bad", PolicyDocument=TRUSTS, **member)
        refused("LimitExceeded", put, PolicyName="bad", PolicyDocument=json.dumps({**ALLOW, "Id": "x" * 6000}), **member)
        refused("NoSuchEntity", get, PolicyName="bad", **member)
        for name in ("one", "two", "three"):
            getattr(iam, f"delete_{kind}_policy")(PolicyName=name, **member)
    iam.delete_user(UserName="u")
    iam.delete_group(GroupName="u")


def quotas(iam):
    iam.create_user(UserName="u")
    made = [iam.create_policy(PolicyName=f"p{i}", PolicyDocument=TEXT)["Policy"]["Arn"] for i in range(11)]
    for policy in made[:10]:
        iam.attach_user_policy(UserName="u", PolicyArn=policy)
    refused("LimitExceeded", iam.attach_user_policy, UserName="u", PolicyArn=made[10])
    iam.tag_user(UserName="u", Tags=[{"Key": f"k{i}", "Value": str(i)} for i in range(50)])
    refused("LimitExceeded", iam.tag_user, UserName="u", Tags=[{"Key": "one more", "Value": ""}])
    iam.tag_user(UserName="u", Tags=[{"Key": "K0", "Value": "new"}])
    found = pages(iam.list_user_tags, "Tags", UserName="u")
    check(len(found) == 50 and {"Key": "K0", "Value": "new"} in found, "tags", found)
    refused("InvalidInput", iam.tag_user, UserName="u", Tags=[{"Key": "aws:x", "Value": ""}])
    refused("InvalidInput", iam.tag_user, UserName="u", Tags=[{"Key": "x", "Value": ""}, {"Key": "X", "Value": ""}])
    iam.untag_user(UserName="u", TagKeys=[f"k{i}" for i in range(49)] + ["none"])
    check(iam.list_user_tags(UserName="u")["Tags"] == [{"Key": "k49", "Value": "49"}], "tags that are left")
    for policy in made[:10]:
        iam.detach_user_policy(UserName="u", PolicyArn=policy)
    for policy in made:
        iam.delete_policy(PolicyArn=policy)
    iam.delete_user(UserName="u")


# ---- keys ----

def account_of(key):
    """As AWS's tools find the account in a key."""
    return f"{(int.from_bytes(base64.b32decode(key[4:])[:6], 'big') & 0x7fffffffff80) >> 7:012d}"


def keys(iam):
    iam.create_user(UserName="k")
    made = [iam.create_access_key(UserName="k")["AccessKey"] for _ in range(2)]
    secrets.extend(key["SecretAccessKey"] for key in made)
    check(all(re.fullmatch("AKIA[A-Z2-7]{16}", key["AccessKeyId"]) and len(key["SecretAccessKey"]) == 40 and key["Status"] == "Active"
              and account_of(key["AccessKeyId"]) == ACCOUNT for key in made), "access keys")
    refused("LimitExceeded", iam.create_access_key, UserName="k")
    one = made[0]["AccessKeyId"]
    iam.update_access_key(UserName="k", AccessKeyId=one, Status="Inactive")
    told = {key["AccessKeyId"]: key["Status"] for key in pages(iam.list_access_keys, "AccessKeyMetadata", UserName="k")}
    check(told == {one: "Inactive", made[1]["AccessKeyId"]: "Active"}, "keys", told)
    used = iam.get_access_key_last_used(AccessKeyId=one)
    check(used["UserName"] == "k" and used["AccessKeyLastUsed"]["ServiceName"] == "N/A", "GetAccessKeyLastUsed", used)
    refused("DeleteConflict", iam.delete_user, UserName="k")
    refused("NoSuchEntity", iam.delete_access_key, AccessKeyId=one)
    refused("NoSuchEntity", iam.update_access_key, UserName="k", AccessKeyId="AKIA" + "A" * 16, Status="Active")
    iam.delete_access_key(UserName="k", AccessKeyId=one)
    again = iam.create_access_key(UserName="k")["AccessKey"]
    secrets.append(again["SecretAccessKey"])
    for key in (made[1], again):
        iam.delete_access_key(UserName="k", AccessKeyId=key["AccessKeyId"])
    root = iam.create_access_key()["AccessKey"]
    secrets.append(root["SecretAccessKey"])
    check([key["AccessKeyId"] for key in iam.list_access_keys()["AccessKeyMetadata"]] == [root["AccessKeyId"]], "the root's key")
    iam.delete_access_key(AccessKeyId=root["AccessKeyId"])
    iam.delete_user(UserName="k")


def credentials(iam):
    service = "cassandra.amazonaws.com"
    iam.create_user(UserName="alice")
    made = [iam.create_service_specific_credential(UserName="alice", ServiceName=service)["ServiceSpecificCredential"] for _ in range(2)]
    secrets.extend(one["ServicePassword"] for one in made)
    check([one["ServiceUserName"] for one in made] == [f"alice-at-{ACCOUNT}", f"alice+1-at-{ACCOUNT}"]
          and all(one["ServiceSpecificCredentialId"].startswith("ACCA") and len(one["ServicePassword"]) == 44 for one in made), "credentials", made)
    refused("LimitExceeded", iam.create_service_specific_credential, UserName="alice", ServiceName=service)
    refused("NotSupportedService", iam.create_service_specific_credential, UserName="alice", ServiceName="s3.amazonaws.com")
    told = pages(iam.list_service_specific_credentials, "ServiceSpecificCredentials", UserName="alice")
    check(len(told) == 2 and all("ServicePassword" not in one and one["Status"] == "Active" for one in told), "what is told of them", told)
    one = made[0]["ServiceSpecificCredentialId"]
    again = iam.reset_service_specific_credential(UserName="alice", ServiceSpecificCredentialId=one)["ServiceSpecificCredential"]
    secrets.append(again["ServicePassword"])
    check(again["ServicePassword"] != made[0]["ServicePassword"] and again["ServiceUserName"] == made[0]["ServiceUserName"], "another password", again)
    iam.update_service_specific_credential(UserName="alice", ServiceSpecificCredentialId=one, Status="Inactive")
    told = {one["ServiceSpecificCredentialId"]: one["Status"]
            for one in pages(iam.list_service_specific_credentials, "ServiceSpecificCredentials", AllUsers=True)}
    check(told[one] == "Inactive", "a credential that is off", told)
    refused("DeleteConflict", iam.delete_user, UserName="alice")
    for one in made:
        iam.delete_service_specific_credential(UserName="alice", ServiceSpecificCredentialId=one["ServiceSpecificCredentialId"])
    iam.delete_user(UserName="alice")


# ---- all together ----

def two_accounts(server, iam):
    other = client(server, OTHER)
    iam.create_user(UserName="mine")
    check(other.list_users()["Users"] == [], "nobody of another account")
    refused("NoSuchEntity", other.get_user, UserName="mine")
    other.create_user(UserName="mine")
    check(other.get_user(UserName="mine")["User"]["Arn"] == f"arn:aws:iam::{OTHER}:user/mine", "the same name in another account")
    made = iam.create_policy(PolicyName="mine", PolicyDocument=TEXT)["Policy"]["Arn"]
    refused("NoSuchEntity", other.attach_user_policy, UserName="mine", PolicyArn=made)
    marker = {"Marker": iam.list_policies(MaxItems=1)["Marker"]}
    refused("ValidationError", other.list_policies, **marker)
    iam.delete_policy(PolicyArn=made)
    for one in (iam, other):
        one.delete_user(UserName="mine")


def cli(server):
    env = {**os.environ, "AWS_ACCESS_KEY_ID": ACCOUNT, "AWS_SECRET_ACCESS_KEY": "any", "AWS_DEFAULT_REGION": "us-east-1",
           "AWS_EC2_METADATA_DISABLED": "true", "AWS_CONFIG_FILE": "/dev/null", "AWS_SHARED_CREDENTIALS_FILE": "/dev/null"}
    aws = [sys.executable, str(pathlib.Path(sys.executable).parent / "aws"), "--endpoint-url", f"http://127.0.0.1:{server.http_port}", "iam"]

    def run(*words):
        done = subprocess.run(aws + list(words), env=env, capture_output=True, text=True, timeout=60)
        check(done.returncode == 0, f"aws iam {words[0]}", done.stderr)
        return json.loads(done.stdout) if done.stdout else {}

    run("create-user", "--user-name", "cli")
    run("attach-user-policy", "--user-name", "cli", "--policy-arn", "arn:aws:iam::aws:policy/AmazonKeyspacesFullAccess")
    made = run("create-service-specific-credential", "--user-name", "cli", "--service-name", "cassandra.amazonaws.com")
    secrets.append(made["ServiceSpecificCredential"]["ServicePassword"])
    told = run("list-attached-user-policies", "--user-name", "cli")
    check(told["AttachedPolicies"][0]["PolicyName"] == "AmazonKeyspacesFullAccess", "the aws CLI", told)
    run("delete-service-specific-credential", "--user-name", "cli", "--service-specific-credential-id",
        made["ServiceSpecificCredential"]["ServiceSpecificCredentialId"])
    run("detach-user-policy", "--user-name", "cli", "--policy-arn", "arn:aws:iam::aws:policy/AmazonKeyspacesFullAccess")
    run("delete-user", "--user-name", "cli")


def snapshot(iam):
    """All that an account has, as it is told."""
    found = {"users": iam.list_users()["Users"], "roles": iam.list_roles()["Roles"], "policies": iam.list_policies(Scope="Local")["Policies"]}
    for user in found["users"]:
        name = user["UserName"]
        user["keys"] = iam.list_access_keys(UserName=name)["AccessKeyMetadata"]
        user["attached"] = iam.list_attached_user_policies(UserName=name)["AttachedPolicies"]
        user["own"] = iam.list_user_policies(UserName=name)["PolicyNames"]
        user["tags"] = iam.list_user_tags(UserName=name)["Tags"]
    for policy in found["policies"]:
        policy["versions"] = iam.list_policy_versions(PolicyArn=policy["Arn"])["Versions"]
    return found


def crashes(server, rounds):
    """Killed while changes are under way: what was answered is there, each change whole, and what was not is there or not."""
    for round_number in range(rounds):
        iam, done, doing = client(server), [], {}

        def change():
            for i in range(1000):
                doing["name"] = name = f"c{round_number}-{i}"
                iam.create_user(UserName=name, PermissionsBoundary=ADMINISTRATOR, Tags=[{"Key": "n", "Value": name}])
                done.append(name)
                if len(done) == 5 + round_number * 3:
                    enough.set()

        def ended():
            try:
                change()
            except Exception:  # noqa: BLE001 - the server is gone: that is the test
                enough.set()

        enough = threading.Event()
        worker = threading.Thread(target=ended)
        worker.start()
        enough.wait()
        server.kill()
        worker.join()
        server.start()
        iam = client(server)
        found = {user["UserName"] for user in iam.get_paginator("list_users").paginate().build_full_result()["Users"]}
        check(set(done) <= found <= set(done) | {doing["name"]}, f"users after kill -9, round {round_number}", (sorted(set(done) ^ found), doing))
        for name in found:
            user = iam.get_user(UserName=name)["User"]
            check(user["PermissionsBoundary"]["PermissionsBoundaryArn"] == ADMINISTRATOR and user["Tags"] == [{"Key": "n", "Value": name}],
                  "a change is whole", user)
            iam.delete_user(UserName=name)


def kept(server):
    """What an account has is the same after a crash."""
    iam = client(server)
    iam.create_user(UserName="kept", Path="/a/", Tags=[{"Key": "k", "Value": "ü"}])
    secrets.append(iam.create_access_key(UserName="kept")["AccessKey"]["SecretAccessKey"])
    policy = iam.create_policy(PolicyName="kept", PolicyDocument=TEXT)["Policy"]["Arn"]
    iam.create_policy_version(PolicyArn=policy, PolicyDocument=json.dumps({**ALLOW, "Id": "2"}), SetAsDefault=True)
    iam.attach_user_policy(UserName="kept", PolicyArn=policy)
    iam.put_user_policy(UserName="kept", PolicyName="own", PolicyDocument=TEXT)
    iam.create_role(RoleName="kept", AssumeRolePolicyDocument=TRUSTS)
    before = snapshot(iam)
    server.kill()
    server.start()
    after = snapshot(client(server))
    check(before == after, "all is as it was", (before, after))


def no_secret(server):
    connection = http.client.HTTPConnection("127.0.0.1", server.http_port, timeout=20)
    connection.request("GET", "/metrics")
    metrics = connection.getresponse().read()
    connection.close()
    with open(server.log_path, "rb") as file:
        log = file.read()
    server.kill()
    found = [*secrets, *map(urllib.parse.quote, secrets)]
    check(len(secrets) >= 9 and not any(secret.encode() in text for secret in found for text in (metrics, log)), "no secret in logs or metrics")
    check(search(files_under(server.data), found) == {}, "no secret in any file")
    server.start()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--binary")
    options = parser.parse_args()
    server = Helenus(options.binary).start()
    try:
        iam = client(server)
        for test in (users, groups, roles, policies, inline, quotas, keys, credentials):
            test(iam)
        two_accounts(server, iam)
        cli(server)
        check(snapshot(iam) == {"users": [], "roles": [], "policies": []}, "nothing is left")
        crashes(server, 4)
        kept(server)
        no_secret(server)
    finally:
        code = server.stop()
    check(code == 0 and not server.reported, "the server ended well", (code, server.reported))
    return finish()


if __name__ == "__main__":
    sys.exit(main())
