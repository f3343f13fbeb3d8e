#!/usr/bin/env bash
# Make the images of a checked-out commit and push them, unless the registry has them:  ops/aws/images.sh COMMIT
#
#   PREFIX  the repository's name in the registry      AWS_REGION  where it is
set -euo pipefail

commit=${1:?say which commit}
: "${PREFIX:?}" "${AWS_REGION:?}"
images=$(aws ecr describe-repositories --repository-names "$PREFIX" --output text --query 'repositories[0].repositoryUri')
aws ecr get-login-password | docker login --username AWS --password-stdin "${images%%/*}"

for target in service backup; do
    tag=$commit
    [ "$target" = service ] || tag=$commit-$target
    if aws ecr describe-images --repository-name "$PREFIX" --image-ids "imageTag=$tag" >/dev/null 2>&1; then
        echo "$images:$tag is there."
        continue
    fi
    docker build --target "$target" --label "org.opencontainers.image.revision=$commit" --tag "$images:$tag" .
    docker push "$images:$tag"
done
