#!/usr/bin/env bash
# Deploy a commit whose images are in the registry, or roll back to it:  ops/aws/deploy.sh COMMIT
#
#   PREFIX      how the stacks' names begin, such as courtside-staging
#   BUILDER     the role that CloudFormation takes (an output of deployer.yaml)
#   AWS_REGION  where the stacks are
#
# First the migrations, by the new image, while the old servers go on; then servers and workers; then the page. An older
# image leaves a newer schema as it is, so rolling back is the same three steps.
set -euo pipefail

commit=${1:?say which commit}
: "${PREFIX:?}" "${BUILDER:?}" "${AWS_REGION:?}"

output() { # STACK NAME: an output of a stack
    aws cloudformation describe-stacks --stack-name "$PREFIX-$1" --output text \
        --query "Stacks[0].Outputs[?OutputKey=='$2'].OutputValue"
}

# Whom to believe about addresses: the load balancer, and CloudFront in front of it, whose ranges change.
list=$(aws ec2 describe-managed-prefix-lists --output text --query 'PrefixLists[0].PrefixListId' \
    --filters Name=prefix-list-name,Values=com.amazonaws.global.cloudfront.origin-facing)
ranges=$(aws ec2 get-managed-prefix-list-entries --prefix-list-id "$list" --output text --query 'Entries[].Cidr')
proxies=$(output network Network),$(tr -s '[:space:]' ',' <<<"$ranges")
proxies=${proxies%,}

ops/aws/stack.sh service "MigrationTag=$commit" "CloudFrontPrefixList=$list" "TrustedProxies=$proxies"

task=$(aws ecs run-task --cluster "$(output service Cluster)" --task-definition "$(output service MigrateTask)" \
    --launch-type FARGATE --output text --query 'tasks[0].taskArn' --network-configuration \
    "awsvpcConfiguration={subnets=[$(output network PrivateSubnets)],securityGroups=[$(output data Clients)]}")
aws ecs wait tasks-stopped --cluster "$(output service Cluster)" --tasks "$task"
status=$(aws ecs describe-tasks --cluster "$(output service Cluster)" --tasks "$task" --output text \
    --query 'tasks[0].containers[0].exitCode')
if [ "$status" != 0 ]; then
    echo "The migration of $commit ended with $status; its log stream tells why. Nothing else was changed." >&2
    exit 1
fi

ops/aws/stack.sh service "ImageTag=$commit" Running=true

# The page last, since it may use what only the new servers have. Old assets stay: pages that are open still want them.
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
container=$(docker create "$(aws ecr describe-repositories --repository-names "$PREFIX" --output text \
    --query 'repositories[0].repositoryUri'):$commit")
docker cp "$container:/app/server/page/." "$work"
docker rm "$container" >/dev/null
find "$work" -name '*.br' -delete -o -name '*.gz' -delete # CloudFront compresses by itself
page=$(output page Page)
aws s3 cp --recursive --cache-control "public, max-age=31536000, immutable" "$work/assets" "s3://$page/assets"
aws s3 cp --recursive --cache-control no-cache --exclude "assets/*" --exclude ".*" "$work" "s3://$page"
aws cloudfront create-invalidation --distribution-id "$(output page Distribution)" --paths "/*" --output text \
    --query Invalidation.Id
