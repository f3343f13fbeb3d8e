#!/usr/bin/env bash
# Create or change one of the stacks:  ops/aws/stack.sh NAME [PARAMETER=VALUE …]   What is not named stays as it is.
#
#   PREFIX      how the stacks' names begin, such as courtside-staging
#   BUILDER     the role that CloudFormation takes (an output of deployer.yaml); without it, your own rights
#   AWS_REGION  where the stacks are; the edge is in us-east-1, where CloudFront wants it
set -euo pipefail

name=${1:?say which of ops/aws/*.yaml}
shift
: "${PREFIX:?}" "${AWS_REGION:?}"
if [ "$name" = edge ]; then export AWS_REGION=us-east-1; fi
command=(aws cloudformation deploy --stack-name "$PREFIX-$name" --template-file "ops/aws/$name.yaml"
    --capabilities CAPABILITY_IAM --no-fail-on-empty-changeset)
if [ -n "${BUILDER:-}" ]; then command+=(--role-arn "$BUILDER"); fi
if [ $# -gt 0 ]; then command+=(--parameter-overrides "$@"); fi
"${command[@]}"
