/* A policy that users know from AWS, and attach by its ARN without having made it.
 *
 * Documents as AWS publishes them, byte for byte but for their blanks, with the versions and times that it tells of them. More of AWS's services come with those that are here. */
#include "identity/managed.h"

#include "identity/ids.h"

#include <assert.h>
#include <stdio.h>

struct managed {
    const char *name, *id;
    int64_t version, created_s, changed_s;
    const char *document;
};

/* By their names. Ids are ours: only their form is AWS's. */
static const struct managed policies[] = {
    { "AdministratorAccess", "ANPAIHELENUSAAAAAAAAA", 1, 1423247986, 1423247986,
      "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Action\":\"*\",\"Effect\":\"Allow\",\"Resource\":"
      "\"*\"}]}" },
    { "AmazonKeyspacesFullAccess", "ANPAIHELENUSBAAAAAAAA", 8, 1587661597, 1770919258,
      "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Action\":[\"cassandra:*\"],\"Effect\":\"Allow\",\""
      "Resource\":\"*\",\"Sid\":\"CassandraFullAccess\"},{\"Action\":[\"application-autoscaling:Delete"
      "ScalingPolicy\",\"application-autoscaling:DeleteScheduledAction\",\"application-autoscaling:Der"
      "egisterScalableTarget\",\"application-autoscaling:DescribeScalableTargets\",\"application-autos"
      "caling:DescribeScalingActivities\",\"application-autoscaling:DescribeScalingPolicies\",\"applic"
      "ation-autoscaling:DescribeScheduledActions\",\"application-autoscaling:PutScheduledAction\",\"a"
      "pplication-autoscaling:PutScalingPolicy\",\"application-autoscaling:RegisterScalableTarget\",\""
      "kms:DescribeKey\",\"kms:ListAliases\"],\"Effect\":\"Allow\",\"Resource\":\"*\",\"Sid\":\"Applic"
      "ationAutoscalingFullAccess\"},{\"Action\":[\"cloudwatch:DeleteAlarms\",\"cloudwatch:DescribeAla"
      "rms\",\"cloudwatch:GetMetricData\",\"cloudwatch:PutMetricAlarm\"],\"Effect\":\"Allow\",\"Resour"
      "ce\":\"*\",\"Sid\":\"CloudwatchAlarmsFullAccess\"},{\"Action\":\"iam:CreateServiceLinkedRole\","
      "\"Condition\":{\"StringLike\":{\"iam:AWSServiceName\":\"cassandra.application-autoscaling.amazo"
      "naws.com\"}},\"Effect\":\"Allow\",\"Resource\":\"arn:aws:iam::*:role/aws-service-role/cassandra"
      ".application-autoscaling.amazonaws.com/AWSServiceRoleForApplicationAutoScaling_CassandraTable\""
      ",\"Sid\":\"ApplicationAutoscalingServiceLinkedRole\"},{\"Action\":\"iam:CreateServiceLinkedRole"
      "\",\"Condition\":{\"StringLike\":{\"iam:AWSServiceName\":\"replication.cassandra.amazonaws.com\""
      "}},\"Effect\":\"Allow\",\"Resource\":\"arn:aws:iam::*:role/aws-service-role/replication.cassand"
      "ra.amazonaws.com/AWSServiceRoleForKeyspacesReplication\",\"Sid\":\"KeyspacesReplicationServiceL"
      "inkedRole\"},{\"Action\":\"iam:CreateServiceLinkedRole\",\"Condition\":{\"StringLike\":{\"iam:A"
      "WSServiceName\":\"cassandra-streams.amazonaws.com\"}},\"Effect\":\"Allow\",\"Resource\":\"arn:a"
      "ws:iam::*:role/aws-service-role/cassandra-streams.amazonaws.com/AWSServiceRoleForAmazonKeyspace"
      "sCDC\",\"Sid\":\"KeyspacesCDCServiceLinkedRole\"},{\"Action\":[\"ec2:DescribeNetworkInterfaces\""
      ",\"ec2:DescribeVpcEndpoints\"],\"Effect\":\"Allow\",\"Resource\":\"*\",\"Sid\":\"Ec2VpcReadAcce"
      "ss\"}]}" },
    { "AmazonKeyspacesReadOnlyAccess", "ANPAIHELENUSCAAAAAAAA", 6, 1587661634, 1770919232,
      "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Action\":[\"cassandra:Select\",\"cassandra:ListSt"
      "reams\",\"cassandra:GetStream\",\"cassandra:GetShardIterator\",\"cassandra:GetRecords\"],\"Effe"
      "ct\":\"Allow\",\"Resource\":\"*\"},{\"Action\":[\"application-autoscaling:DescribeScalableTarge"
      "ts\",\"application-autoscaling:DescribeScalingActivities\",\"application-autoscaling:DescribeSc"
      "alingPolicies\",\"application-autoscaling:DescribeScheduledActions\",\"cloudwatch:DescribeAlarm"
      "s\",\"cloudwatch:GetMetricData\",\"kms:DescribeKey\",\"kms:ListAliases\"],\"Effect\":\"Allow\","
      "\"Resource\":\"*\"}]}" },
    { "AmazonKeyspacesReadOnlyAccess_v2", "ANPAIHELENUSDAAAAAAAA", 4, 1694538105, 1770919377,
      "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Action\":[\"cassandra:Select\",\"cassandra:ListSt"
      "reams\",\"cassandra:GetStream\",\"cassandra:GetShardIterator\",\"cassandra:GetRecords\"],\"Effe"
      "ct\":\"Allow\",\"Resource\":\"*\"},{\"Action\":[\"application-autoscaling:DescribeScalableTarge"
      "ts\",\"application-autoscaling:DescribeScalingActivities\",\"application-autoscaling:DescribeSc"
      "alingPolicies\",\"application-autoscaling:DescribeScheduledActions\",\"cloudwatch:DescribeAlarm"
      "s\",\"cloudwatch:GetMetricData\",\"kms:DescribeKey\",\"kms:ListAliases\"],\"Effect\":\"Allow\","
      "\"Resource\":\"*\"},{\"Action\":[\"ec2:DescribeNetworkInterfaces\",\"ec2:DescribeVpcEndpoints\""
      "],\"Effect\":\"Allow\",\"Resource\":\"*\"}]}" },
    { "IAMFullAccess", "ANPAIHELENUSEAAAAAAAA", 2, 1423248038, 1561146000,
      "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Action\":[\"iam:*\",\"organizations:DescribeAccou"
      "nt\",\"organizations:DescribeOrganization\",\"organizations:DescribeOrganizationalUnit\",\"orga"
      "nizations:DescribePolicy\",\"organizations:ListChildren\",\"organizations:ListParents\",\"organ"
      "izations:ListPoliciesForTarget\",\"organizations:ListRoots\",\"organizations:ListPolicies\",\"o"
      "rganizations:ListTargetsForPolicy\"],\"Effect\":\"Allow\",\"Resource\":\"*\"}]}" },
    { "IAMReadOnlyAccess", "ANPAIHELENUSFAAAAAAAA", 4, 1423248039, 1516907487,
      "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Action\":[\"iam:GenerateCredentialReport\",\"iam:"
      "GenerateServiceLastAccessedDetails\",\"iam:Get*\",\"iam:List*\",\"iam:SimulateCustomPolicy\",\""
      "iam:SimulatePrincipalPolicy\"],\"Effect\":\"Allow\",\"Resource\":\"*\"}]}" },
};

/* It has no text of its own: that is its version's. */
static struct identity *make_policy(const struct managed *from, char key[IDENTITY_KEY_MAX])
{
    struct identity_parts parts = {
        .at = { IDENTITY_POLICY, bytes_of(NULL, 0), identity_key(bytes_of_string(from->name), key) },
        .id = bytes_of_string(from->id),
        .name = bytes_of_string(from->name),
        .path = BYTES_LITERAL("/"),
        .number = from->version,
        .created_us = from->created_s * 1000000,
        .changed_us = from->changed_s * 1000000,
    };

    return identity_make(&parts);
}

/* Of older ones nobody has the texts. */
static struct identity *make_version(const struct managed *from)
{
    char number[IDENTITY_VERSION_KEY + 1];
    struct identity_parts parts = {
        .at = { IDENTITY_POLICY_VERSION, bytes_of_string(from->id), bytes_of(number, IDENTITY_VERSION_KEY) },
        .text = bytes_of_string(from->document),
        .number = from->version,
        .is_on = true,
        .created_us = from->changed_s * 1000000,
    };
    struct identity *made;

    snprintf(number, sizeof(number), "%08u", (unsigned)from->version);
    made = identity_make(&parts);
    assert(made->policy); /* AWS's documents are understood */
    return made;
}

/* Made at the start, like everything else of a set. */
struct identities *managed_policies(void)
{
    struct identity *all[2 * ARRAY_SIZE(policies)];
    char key[IDENTITY_KEY_MAX];

    for (size_t i = 0; i < ARRAY_SIZE(policies); i++) {
        assert(strlen(policies[i].id) == IDS_BYTES);
        all[2 * i] = make_policy(&policies[i], key);
        all[2 * i + 1] = make_version(&policies[i]);
    }
    return identities_new(all, ARRAY_SIZE(all));
}
