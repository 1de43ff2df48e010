"""The messages that kubectl sends as protobuf: field numbers, names and types.

Since 1.32 kubectl's typed clients (create NAMESPACE..., auth can-i, drain) write protobuf and do
not fall back to JSON. Numbers: kubernetes:staging/src/k8s.io/api/*/v1/generated.proto and
.../apimachinery/pkg/apis/meta/v1/generated.proto.

A field is `NUMBER NAME TYPE`. Types: s string, i integer, b boolean (left out when zero or false;
N and B are not), y bytes, T time, I integer or string, Q quantity, `-` not read, or a message's
name; `*` before it a list, `<` a map from strings, `+` a message whose fields belong to the one
around it.
"""

from __future__ import annotations

__all__ = ["KINDS", "MESSAGES"]

# What may come as a whole body.
KINDS = frozenset(
    {
        "Namespace",
        "ConfigMap",
        "Secret",
        "ServiceAccount",
        "Service",
        "Deployment",
        "Job",
        "CronJob",
        "Role",
        "ClusterRole",
        "RoleBinding",
        "ClusterRoleBinding",
        "PodDisruptionBudget",
        "Eviction",
        "SelfSubjectAccessReview",
        "SelfSubjectRulesReview",
        "SelfSubjectReview",
        "Ingress",
        "CertificateSigningRequest",
        "DeleteOptions",
        "Event",
        "PriorityClass",
    }
)

_META = "1 metadata ObjectMeta; "

MESSAGES: dict[str, str] = {
    "ObjectMeta": (
        "1 name s; 2 generateName s; 3 namespace s; 4 selfLink s; 5 uid s; 6 resourceVersion s; "
        "7 generation i; 8 creationTimestamp T; 9 deletionTimestamp T; "
        "10 deletionGracePeriodSeconds N; 11 labels <s; 12 annotations <s; "
        "13 ownerReferences *OwnerReference; 14 finalizers *s; 17 managedFields -"
    ),
    "OwnerReference": (
        "1 kind s; 3 name s; 4 uid s; 5 apiVersion s; 6 controller B; 7 blockOwnerDeletion B"
    ),
    "LabelSelector": "1 matchLabels <s; 2 matchExpressions *LabelSelectorRequirement",
    "LabelSelectorRequirement": "1 key s; 2 operator s; 3 values *s",
    "LocalObjectReference": "1 name s",
    "ObjectReference": (
        "1 kind s; 2 namespace s; 3 name s; 4 uid s; 5 apiVersion s; 6 resourceVersion s; "
        "7 fieldPath s"
    ),
    "Namespace": _META + "2 spec NamespaceSpec; 3 status -",
    "NamespaceSpec": "1 finalizers *s",
    "ConfigMap": _META + "2 data <s; 3 binaryData <y; 4 immutable B",
    "Secret": _META + "2 data <y; 3 type s; 4 stringData <s; 5 immutable B",
    "ServiceAccount": (
        _META + "2 secrets *ObjectReference; 3 imagePullSecrets *LocalObjectReference; "
        "4 automountServiceAccountToken B"
    ),
    "Service": _META + "2 spec ServiceSpec; 3 status -",
    "ServiceSpec": (
        "1 ports *ServicePort; 2 selector <s; 3 clusterIP s; 4 type s; 5 externalIPs *s; "
        "7 sessionAffinity s; 8 loadBalancerIP s; 9 loadBalancerSourceRanges *s; "
        "10 externalName s; 11 externalTrafficPolicy s; 12 healthCheckNodePort i; "
        "13 publishNotReadyAddresses b; 17 ipFamilyPolicy s; 18 clusterIPs *s; 19 ipFamilies *s; "
        "20 allocateLoadBalancerNodePorts B; 21 loadBalancerClass s; 22 internalTrafficPolicy s; "
        "23 trafficDistribution s"
    ),
    "ServicePort": (
        "1 name s; 2 protocol s; 3 port i; 4 targetPort I; 5 nodePort i; 6 appProtocol s"
    ),
    "Deployment": _META + "2 spec DeploymentSpec; 3 status -",
    "DeploymentSpec": (
        "1 replicas N; 2 selector LabelSelector; 3 template PodTemplateSpec; "
        "4 strategy DeploymentStrategy; 5 minReadySeconds i; 6 revisionHistoryLimit N; 7 paused b; "
        "9 progressDeadlineSeconds N"
    ),
    "DeploymentStrategy": "1 type s; 2 rollingUpdate RollingUpdate",
    "RollingUpdate": "1 maxUnavailable I; 2 maxSurge I",
    "PodTemplateSpec": _META + "2 spec PodSpec",
    "PodSpec": (
        "2 containers *Container; 3 restartPolicy s; 4 terminationGracePeriodSeconds N; "
        "5 activeDeadlineSeconds N; 6 dnsPolicy s; 7 nodeSelector <s; 8 serviceAccountName s; "
        "9 serviceAccount s; 10 nodeName s; 11 hostNetwork b; 12 hostPID b; 13 hostIPC b; "
        "14 securityContext -; 15 imagePullSecrets *LocalObjectReference; 16 hostname s; "
        "17 subdomain s; 19 schedulerName s; 20 initContainers *Container; "
        "21 automountServiceAccountToken B; 22 tolerations *Toleration; 24 priorityClassName s; "
        "25 priority N; 27 shareProcessNamespace B; 29 runtimeClassName s; 30 enableServiceLinks B"
    ),
    "Toleration": "1 key s; 2 operator s; 3 value s; 4 effect s; 5 tolerationSeconds N",
    "Container": (
        "1 name s; 2 image s; 3 command *s; 4 args *s; 5 workingDir s; 6 ports *ContainerPort; "
        "7 env *EnvVar; 8 resources ResourceRequirements; 13 terminationMessagePath s; "
        "14 imagePullPolicy s; 16 stdin b; 17 stdinOnce b; 18 tty b; 20 terminationMessagePolicy s"
    ),
    "ContainerPort": "1 name s; 2 hostPort i; 3 containerPort i; 4 protocol s; 5 hostIP s",
    "EnvVar": "1 name s; 2 value s",
    "ResourceRequirements": "1 limits <Q; 2 requests <Q",
    "Job": _META + "2 spec JobSpec; 3 status -",
    "JobSpec": (
        "1 parallelism N; 2 completions N; 3 activeDeadlineSeconds N; 4 selector LabelSelector; "
        "5 manualSelector B; 6 template PodTemplateSpec; 7 backoffLimit N; "
        "8 ttlSecondsAfterFinished N; 9 completionMode s; 10 suspend B"
    ),
    "CronJob": _META + "2 spec CronJobSpec; 3 status -",
    "CronJobSpec": (
        "1 schedule s; 2 startingDeadlineSeconds N; 3 concurrencyPolicy s; 4 suspend B; "
        "5 jobTemplate JobTemplateSpec; 6 successfulJobsHistoryLimit N; "
        "7 failedJobsHistoryLimit N; 8 timeZone s"
    ),
    "JobTemplateSpec": _META + "2 spec JobSpec",
    "Role": _META + "2 rules *PolicyRule",
    "ClusterRole": _META + "2 rules *PolicyRule; 3 aggregationRule AggregationRule",
    "AggregationRule": "1 clusterRoleSelectors *LabelSelector",
    "PolicyRule": (
        "1 verbs *s; 2 apiGroups *s; 3 resources *s; 4 resourceNames *s; 5 nonResourceURLs *s"
    ),
    "RoleBinding": _META + "2 subjects *Subject; 3 roleRef RoleRef",
    "ClusterRoleBinding": _META + "2 subjects *Subject; 3 roleRef RoleRef",
    "RoleRef": "1 apiGroup s; 2 kind s; 3 name s",
    "Subject": "1 kind s; 2 apiGroup s; 3 name s; 4 namespace s",
    "PodDisruptionBudget": _META + "2 spec PodDisruptionBudgetSpec; 3 status -",
    "PodDisruptionBudgetSpec": (
        "1 minAvailable I; 2 selector LabelSelector; 3 maxUnavailable I; "
        "4 unhealthyPodEvictionPolicy s"
    ),
    "Eviction": _META + "2 deleteOptions DeleteOptions",
    "DeleteOptions": (
        "1 gracePeriodSeconds N; 2 preconditions Preconditions; 3 orphanDependents B; "
        "4 propagationPolicy s; 5 dryRun *s"
    ),
    "Preconditions": "1 uid s; 2 resourceVersion s",
    "SelfSubjectAccessReview": _META + "2 spec SelfSubjectAccessReviewSpec; 3 status -",
    "SelfSubjectAccessReviewSpec": (
        "1 resourceAttributes ResourceAttributes; 2 nonResourceAttributes NonResourceAttributes"
    ),
    "ResourceAttributes": (
        "1 namespace s; 2 verb s; 3 group s; 4 version s; 5 resource s; 6 subresource s; 7 name s"
    ),
    "NonResourceAttributes": "1 path s; 2 verb s",
    "SelfSubjectRulesReview": _META + "2 spec SelfSubjectRulesReviewSpec; 3 status -",
    "SelfSubjectRulesReviewSpec": "1 namespace s",
    "SelfSubjectReview": _META + "2 status -",
    "Ingress": _META + "2 spec IngressSpec; 3 status -",
    "IngressSpec": (
        "1 defaultBackend IngressBackend; 2 tls *IngressTLS; 3 rules *IngressRule; "
        "4 ingressClassName s"
    ),
    "IngressRule": "1 host s; 2 value +IngressRuleValue",
    "IngressRuleValue": "1 http HTTPIngressRuleValue",
    "HTTPIngressRuleValue": "1 paths *HTTPIngressPath",
    "HTTPIngressPath": "1 path s; 2 backend IngressBackend; 3 pathType s",
    "IngressBackend": "4 service IngressServiceBackend",
    "IngressServiceBackend": "1 name s; 2 port ServiceBackendPort",
    "ServiceBackendPort": "1 name s; 2 number i",
    "IngressTLS": "1 hosts *s; 2 secretName s",
    "CertificateSigningRequest": (
        _META + "2 spec CertificateSigningRequestSpec; 3 status CertificateSigningRequestStatus"
    ),
    "CertificateSigningRequestSpec": (
        "1 request y; 2 username s; 3 uid s; 4 groups *s; 5 usages *s; 6 extra -; 7 signerName s; "
        "8 expirationSeconds N"
    ),
    "CertificateSigningRequestStatus": (
        "1 conditions *CertificateSigningRequestCondition; 2 certificate y"
    ),
    "CertificateSigningRequestCondition": (
        "1 type s; 2 reason s; 3 message s; 4 lastUpdateTime T; 5 lastTransitionTime T; 6 status s"
    ),
    "PriorityClass": (
        _META + "2 value i; 3 globalDefault b; 4 description s; 5 preemptionPolicy s"
    ),
    "Event": (
        _META + "2 involvedObject ObjectReference; 3 reason s; 4 message s; 5 source EventSource; "
        "6 firstTimestamp T; 7 lastTimestamp T; 8 count i; 9 type s; 10 eventTime T; 11 series -; "
        "12 action s; 13 related ObjectReference; 14 reportingComponent s; 15 reportingInstance s"
    ),
    "EventSource": "1 component s; 2 host s",
}
